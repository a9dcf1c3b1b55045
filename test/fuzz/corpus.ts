import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Inputs that once were findings, a folder for each target. `npm test` gives all of them to their targets again. */
const folder = fileURLToPath(new URL('corpus/', import.meta.url));
const drafts = fileURLToPath(new URL('../.cache/fuzz/', import.meta.url));

/** The kept inputs of a target, by the names of their files. */
export function corpusOf(target: string): ReadonlyMap<string, Uint8Array> {
  const own = `${folder}${target}`;
  if (!existsSync(own)) return new Map();
  return new Map(readdirSync(own).map(name => [name, new Uint8Array(readFileSync(`${own}/${name}`))]));
}

/** @param isFinal - whether it goes where `npm test` finds it, or only beside it. @returns the file */
export function keepInput(target: string, signature: string, input: Uint8Array, isFinal: boolean): string {
  const own = `${isFinal ? folder : drafts}${target}`;
  mkdirSync(own, { recursive: true });
  const file = `${own}/${fileName(signature, input)}`;
  writeFileSync(file, input);
  return relative(process.cwd(), file);
}

/** What was wrong, and what tells inputs apart. */
export function fileName(signature: string, input: Uint8Array): string {
  const words = signature.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '').slice(0, 60); // prettier-ignore
  return `${words}-${createHash('sha256').update(input).digest('hex').slice(0, 8)}`;
}
