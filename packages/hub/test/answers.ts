import type { ServerResponse } from 'node:http';

/** A repository of the test hub: the files of each commit by path, and what its branches and tags are at. */
export interface TestRepository {
  commits: Record<string, Record<string, Uint8Array>>;
  refs: Record<string, string>;
  /** The token that may read it; `'hf_other'` is known and may not. */
  reader?: string;
  /** The token that may write to it. @defaultValue `hf_writer` */
  writer?: string;
  /** `gated`: it is listed for all, and its files are for the reader. `private`: it does not exist for others. */
  access?: 'gated' | 'private';
}

/** What goes wrong with one request for the content of a file; the next request with a fault takes the next one. */
export type Fault =
  | { kind: 'cut'; afterBytes: number }
  | { kind: 'end'; afterBytes: number }
  | { kind: 'flip'; atByte: number }
  | { kind: 'extra'; bytes: number }
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  | { kind: 'reset' }
  | { kind: 'silence' }
  | { kind: 'hold'; afterBytes: number; until: Promise<void> }
  | { kind: 'ignoreRange' }
  /** What was asked for is done, and the answer is lost. */
  | { kind: 'loseAnswer' };

export function send(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(value));
}

export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    ...(code !== '' && { 'X-Error-Code': code }),
    'X-Error-Message': message,
  });
  response.end(JSON.stringify({ error: message }));
}
