// The far side of measure-round-trip.ts: sends back what it gets over one mutually authenticated TLS 1.3 connection.
//   tls-echo.ts CERTIFICATE KEY
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createServer } from 'node:tls';

const [certificate = '', key = ''] = process.argv.slice(2);
const cert = readFileSync(certificate);
const listener = createServer(
  { cert, key: readFileSync(key), ca: cert, requestCert: true, minVersion: 'TLSv1.3', noDelay: true },
  (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  },
);
listener.listen(0, '127.0.0.1', () => {
  const address = listener.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
process.stdin.resume().once('end', () => process.exit(0));
