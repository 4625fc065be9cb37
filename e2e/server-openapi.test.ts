import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { API_ROUTES } from '@writ/contract';
import { describeApi } from '../apps/server/src/people/describe-api.ts';
import type { PeopleParts } from '../apps/server/src/people/people-parts.ts';

const FILE = new URL('../docs/openapi.json', import.meta.url);

describe('the published description of the API', () => {
  test('docs/openapi.json is what the routes say', async () => {
    // The routes are laid out and never called.
    const text = `${JSON.stringify(await describeApi({} as PeopleParts), null, 2)}\n`;
    // Written by: WRIT_WRITE_OPENAPI=1 node --test e2e/server-openapi.test.ts
    if (process.env['WRIT_WRITE_OPENAPI'] === '1') await writeFile(FILE, text);
    assert.equal(await readFile(FILE, 'utf8'), text, 'write it again and look at what changed');
  });

  test('it is OpenAPI 3.1 and has every route of the contract, with its body and its answers', async () => {
    const document = JSON.parse(await readFile(FILE, 'utf8'));
    assert.equal(document.openapi, '3.1.0');
    const operations = Object.values(
      document.paths as Record<
        string,
        Record<string, { operationId: string; responses: object; requestBody?: object }>
      >,
    ).flatMap((methods) => Object.values(methods));
    assert.deepEqual(
      operations.map((operation) => operation.operationId).toSorted(),
      Object.keys(API_ROUTES).toSorted(),
    );
    const submit = operations.find((operation) => operation.operationId === 'submitJob');
    assert.deepEqual(Object.keys(submit?.responses ?? {}), ['200', '201', 'default']);
    assert.match(JSON.stringify(submit?.requestBody), /payloadType/);
  });
});
