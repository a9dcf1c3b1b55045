import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Inputs that once were findings, a folder for each target. `npm test` gives all of them to their targets again. */
const folder = fileURLToPath(new URL('corpus/', import.meta.url));

/** The kept inputs of a target, by the names of their files. */
export function corpusOf(target: string): ReadonlyMap<string, Uint8Array> {
  const own = `${folder}${target}`;
  if (!existsSync(own)) return new Map();
  return new Map(readdirSync(own).map(name => [name, new Uint8Array(readFileSync(`${own}/${name}`))]));
}

/** @param signature - what was wrong, which becomes the file's name. @returns the file, for people */
export function keepInput(target: string, signature: string, input: Uint8Array): string {
  const words = signature.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '').slice(0, 60); // prettier-ignore
  const name = `${words}-${createHash('sha256').update(input).digest('hex').slice(0, 8)}`;
  mkdirSync(`${folder}${target}`, { recursive: true });
  writeFileSync(`${folder}${target}/${name}`, input);
  return `test/fuzz/corpus/${target}/${name}`;
}
