import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a committed fixture. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** The bytes of a committed fixture, at offset 0 of a buffer of their own. */
export function fixtureBytes(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(fixturePath(name)));
}

/** What a committed JSON fixture holds. */
export function fixtureJson(name: string): unknown {
  return JSON.parse(readFileSync(fixturePath(name), 'utf8'));
}
