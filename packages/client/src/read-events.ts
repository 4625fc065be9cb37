import { ClientError } from './client-error.ts';

export interface ServerSentEvent {
  /** Undefined when the event says none: the last one said holds. */
  readonly id: string | undefined;
  readonly data: string;
}

/** More than the longest event: a receipt at its bound, in base64. */
const longestEvent = 8 * 1024 * 1024;

/**
 * The stream of https://html.spec.whatwg.org/multipage/server-sent-events.html, without event types and retry times.
 *
 * @throws ClientError `answer.malformed` when an event does not end
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  let id: string | undefined;
  let data: string[] = [];
  let held = 0;
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length + held > longestEvent)
      throw new ClientError('answer.malformed', 'The server tells of an event that does not end.');
    let end: number;
    while ((end = text.search(/\r\n|\n|\r(?!$)/)) >= 0) {
      const line = text.slice(0, end);
      text = text.slice(end + (text.startsWith('\r\n', end) ? 2 : 1));
      if (line === '') {
        if (data.length > 0) yield { id, data: data.join('\n') };
        data = [];
        held = 0;
      } else if (line.startsWith('data:')) {
        data.push(valueOf(line, 5));
        held += line.length;
      } else if (line.startsWith('id:')) {
        id = valueOf(line, 3);
      }
    }
  }
}

const valueOf = (line: string, from: number): string => line.slice(line[from] === ' ' ? from + 1 : from);
