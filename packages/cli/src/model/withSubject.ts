import { statusLine, type StatusLine } from '../terminal/statusLine.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { findSubject, openSubject, type Subject, type SubjectChoice } from './openSubject.ts';
import { startBackend } from './startBackend.ts';

/** What {@link withSubject} hands over beside the model. */
export interface Surroundings {
  /** The name of the backend. */
  readonly backend: string;
  readonly status: StatusLine;
}

/**
 * Does something with the model that the flags name, and an adapter on it, on the backend that they name. Both are freed.
 *
 * @throws Problem where neither names a model, before anything is started
 */
export async function withSubject<T>(
  flags: SubjectChoice & { readonly backend: string | undefined },
  terminal: Terminal,
  use: (subject: Subject, surroundings: Surroundings) => Promise<T>,
): Promise<T> {
  const status = statusLine(terminal);
  const places = await findSubject(flags, terminal, status);
  const backend = await startBackend(flags.backend, terminal);
  const subject = await openSubject(places, flags, status);
  try {
    return await use(subject, { backend, status });
  } finally {
    subject.dispose();
  }
}
