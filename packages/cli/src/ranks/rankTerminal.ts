import type { Comm } from '@dropbp/train';
import type { Terminal } from '../terminal/terminal.ts';

/**
 * The terminal of a rank: rank 0 alone writes. Launchers pass SIGUSR2 on to every rank, which asks for a good end as Ctrl-C does;
 * for Ctrl-C itself they end all.
 */
export function rankTerminal(terminal: Terminal, { rank }: Pick<Comm, 'rank'>): Terminal {
  const ignore = (): void => undefined;
  return {
    ...terminal,
    columns: terminal.columns,
    ...(rank > 0 && { out: ignore, notes: ignore, isInteractive: false }),
    onInterrupt(listener) {
      const stop = (): void => listener('SIGINT');
      process.on('SIGUSR2', stop);
      const release = terminal.onInterrupt(listener);
      return () => {
        process.off('SIGUSR2', stop);
        release();
      };
    },
  };
}
