// Does once each what no run may do.
import { spawnSync } from 'node:child_process';
import { lookup } from 'node:dns';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { execPath } from 'node:process';
import { Worker } from 'node:worker_threads';

const write = name => `require('node:fs').writeFileSync(${JSON.stringify(`${homedir()}/${name}`)}, '')`;
writeFileSync(`${homedir()}/own`, '');
spawnSync(execPath, ['-e', write('child')]);
new Worker(write('thread'), { eval: true });
lookup('example.com', () => undefined);
connect(443, '192.0.2.1').on('error', () => undefined);
