import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';

/** This package's version. */
export function ownVersion(): string {
  // By its own name, since the way up differs between src/run/ and dist/.
  const path = createRequire(import.meta.url).resolve('@dropbp/cli/package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/** What a run's figures depend on. */
export function versions(): Record<string, string> {
  return { dropbp: ownVersion(), tfjs: tf.version_core, node: process.versions.node };
}
