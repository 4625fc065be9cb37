import { generateKeyPairSync, sign, verify } from 'node:crypto';
import process from 'node:process';

/** As long as a receipt with what stands around it when it is signed. */
const BYTES = 1100;
const TIMES = 2000;

/** @returns microseconds of CPU time for verifying one Ed25519 signature, with the key at hand. */
export function measureSignature(): number {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const bytes = Buffer.alloc(BYTES, 'w');
  const signature = sign(null, bytes, privateKey);
  const verifyAll = (times: number): void => {
    for (let time = 0; time < times; time += 1) verify(null, bytes, publicKey, signature);
  };
  verifyAll(TIMES / 10);
  const before = process.cpuUsage();
  verifyAll(TIMES);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / TIMES;
}
