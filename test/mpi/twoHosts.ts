import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Two 'hosts' on this machine: network namespaces with a name each, a cable between them, and nothing else. */
export interface TwoHosts {
  /** A command that starts so many ranks by Open MPI, half of them on each host, over TCP. */
  launch(ranks: number, command: readonly string[]): string[];
  /** Takes the cable out, at once and without a word to either side. */
  cut(): void;
  mend(): void;
  /** Leaves nothing behind. */
  remove(): void;
}

/** Needs root and iproute2. */
export function twoHosts(): TwoHosts {
  const ip = (line: string): unknown => execFileSync('ip', line.split(' '), { stdio: 'pipe' });
  const folder = mkdtempSync(join(tmpdir(), 'two-hosts-'));
  const tag = `db${process.pid % 10_000}`;
  const hosts = ['a', 'b'].map((letter, i) => ({
    ...{ name: `host${letter}`, space: `${tag}${letter}`, device: `${tag}${letter}0`, address: `10.77.0.${i + 1}` },
  }));
  const [a, b] = hosts as [(typeof hosts)[0], (typeof hosts)[0]];
  const table = ['127.0.0.1 localhost', ...hosts.map(({ address, name }) => `${address} ${name}`), ''].join('\n');
  for (const { space } of hosts) ip(`netns add ${space}`);
  ip(`link add ${a.device} netns ${a.space} type veth peer name ${b.device} netns ${b.space}`);
  for (const { space, device, address } of hosts) {
    ip(`-n ${space} link set lo up`);
    ip(`-n ${space} addr add ${address}/24 dev ${device}`);
    ip(`-n ${space} link set ${device} up`);
    // What lies here takes the place of the same files in /etc, for processes of that namespace.
    mkdirSync(`/etc/netns/${space}`, { recursive: true });
    writeFileSync(`/etc/netns/${space}/hosts`, table);
  }
  // In the place of ssh: AGENT [OPTION…] HOST COMMAND…
  const agent = join(folder, 'agent.sh');
  const lines = [
    '#!/bin/sh',
    'while [ "${1#-}" != "$1" ]; do shift; done',
    'host=$1; shift',
    `case $host in ${hosts.map(({ name, space }) => `${name}) space=${space};;`).join(' ')} esac`,
    'exec ip netns exec $space unshare --uts sh -c "hostname $host; $*"',
  ];
  writeFileSync(agent, `${lines.join('\n')}\n`);
  chmodSync(agent, 0o755);
  return {
    launch(ranks, command) {
      const open = ['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none', '--prtemca', 'plm_ssh_agent', agent];
      // The daemons of Open MPI notice after five seconds, in the place of eight minutes, that they do not hear of each other.
      const keepAlive = Object.entries({ time: 2, intvl: 1, probes: 3 }).flatMap(([name, value]) => [
        ...['--prtemca', `oob_tcp_keepalive_${name}`, String(value)],
      ]);
      const overTcp = [
        '--mca',
        'pml',
        'ob1',
        '--mca',
        'btl',
        'self,tcp',
        '--mca',
        'btl_tcp_if_include',
        '10.77.0.0/24',
      ];
      const where = ['--host', hosts.map(({ name }) => `${name}:${ranks / 2}`).join(','), '-n', String(ranks)];
      const line = ['mpirun.openmpi', ...open, ...keepAlive, ...overTcp, ...where, ...command]
        .map(word => `'${word}'`)
        .join(' ');
      return [agent, a.name, `exec ${line}`];
    },
    cut: () => void ip(`-n ${b.space} link set ${b.device} down`),
    mend: () => void ip(`-n ${b.space} link set ${b.device} up`),
    remove() {
      for (const { space } of hosts) {
        ip(`netns del ${space}`);
        rmSync(`/etc/netns/${space}`, { recursive: true });
      }
      rmSync(folder, { recursive: true });
    },
  };
}
