import { connect, openKey, readPins, Submitter } from '@writ/client';

const ticket = new URLSearchParams(location.search).get('ticket');
const ask = (url, init = {}) => fetch(url, { ...init, headers: { ...init.headers, 'writ-ticket': ticket } });
const show = (text) => (document.querySelector('#shown').textContent += `${text}\n`);

async function run(form) {
  const sets = readPins(await (await ask('/pins.json')).json());
  const { person, signer } = openKey(JSON.parse(await form.get('key').text()));
  const client = connect({ url: location.origin, fetch: ask });
  const submitter = new Submitter({ client, sets, person, signer });
  const job = await submitter.submit({ argv: form.get('command').split(' ') });
  for await (const event of job.follow())
    if (event.is === 'task') show(`${event.task.state} ${event.task.agent ?? ''}`);
  for await (const result of job.results()) {
    show(new TextDecoder().decode(await job.readLog(result)));
    show(`${result.predicate.because}, signed by ${result.agent.name}: verified`);
  }
}

document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  run(new FormData(event.target)).catch((error) => show(`${error.code ?? 'error'}: ${error.message}`));
});
