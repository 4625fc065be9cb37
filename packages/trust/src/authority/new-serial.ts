import { refusal } from './refuse.ts';

export type RandomBytes = (size: number) => Uint8Array;

/** 128 random bits. */
export function newSerial(randomBytes: RandomBytes): Uint8Array {
  return randomBytes(16);
}

/** Hex for the certificate. A broken source of randomness shows in zeros first. */
export function formatNewSerial(serial: Uint8Array): string {
  if (serial.length !== 16 || serial.subarray(0, 8).every((byte) => byte === 0)) {
    throw refusal('authority.serial', 'A serial number is 16 random bytes. Make it with newSerial.');
  }
  return Buffer.from(serial).toString('hex');
}
