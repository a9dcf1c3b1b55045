import * as tf from '@tensorflow/tfjs';
import { nearNames, problem } from '@dropbp/basics';
import { isNotInstalled } from './isNotInstalled.ts';

/** A backend that can be chosen. */
export interface BackendCandidate {
  /** As tfjs knows it. */
  readonly name: string;
  /** Makes the backend known to tfjs. @throws if it is not installed or does not run here */
  readonly register: () => Promise<unknown>;
  /** Why it is not taken unless it is asked for, as seen once it is active; undefined where nothing is against it. */
  readonly objection?: () => string | undefined;
  /** What to say of it beside its name, once it is active. */
  readonly detail?: () => string;
  /** What to do where someone asks for it and it does not work. @defaultValue to ask for none */
  readonly fix?: string;
}

/** What {@link chooseBackend} takes. */
export interface ChooseBackendOptions {
  /** Takes this one or fails. @defaultValue the first that works */
  readonly wanted?: string | undefined;
  /** Best first; several may have one name. */
  readonly candidates: readonly BackendCandidate[];
}

/** The backend that is now active. */
export interface ChosenBackend {
  /** As tfjs knows it. */
  readonly name: string;
  /** What there is to say of it beside its name. */
  readonly detail?: string;
  /** Those that were tried before, and why they were not taken. */
  readonly passedOver: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Activates a tfjs backend: the one that is wanted, or the first that is installed and works.
 *
 * @throws Problem if the wanted one is unknown or fails, or none works
 */
export async function chooseBackend({ wanted, candidates }: ChooseBackendOptions): Promise<ChosenBackend> {
  // Production mode leaves out tfjs's advice on start-up; nothing else that we use depends on it.
  tf.enableProdMode();
  const eligible = candidates.filter(({ name }) => wanted === undefined || name === wanted);
  if (wanted !== undefined && eligible.length === 0) throw unknownBackend(wanted, candidates);
  const passedOver: { name: string; reason: string }[] = [];
  let failure: unknown;
  for (const candidate of eligible) {
    const { name, objection, detail } = candidate;
    failure = await activate(candidate);
    const against = failure === undefined && wanted === undefined ? objection?.() : undefined;
    if (failure === undefined && against === undefined) {
      return { name, ...(detail !== undefined && { detail: detail() }), passedOver };
    }
    passedOver.push({ name, reason: against ?? reasonOf(failure) });
  }
  if (wanted !== undefined) {
    throw problem('setup', {
      what: `the backend '${wanted}' does not work here`,
      got: reasonOf(failure),
      fix: eligible.find(({ fix }) => fix !== undefined)?.fix ?? 'name no backend to take one that works',
      cause: failure,
    });
  }
  throw problem('setup', {
    what: 'no backend works here',
    got: passedOver.map(({ name, reason }) => `${name}: ${reason}`).join('; '),
    isFailure: true,
  });
}

/** Registers, activates and tries a candidate; returns what went wrong. */
async function activate({ name, register }: BackendCandidate): Promise<unknown> {
  try {
    await register();
    if (!(await tf.setBackend(name))) return await whyNotStarted(name);
    const sum = tf.tidy(() => tf.tensor1d([1, 2]).add(tf.scalar(3)));
    const [first, second] = await sum.data();
    sum.dispose();
    return first === 4 && second === 5 ? undefined : new Error('it computes 1 + 3 wrongly');
  } catch (error) {
    return error ?? new Error('it failed without a reason');
  }
}

/** tfjs says only that it could not: what its factory throws says why. */
async function whyNotStarted(name: string): Promise<unknown> {
  try {
    await tf.findBackendFactory(name)();
  } catch (error) {
    return error;
  }
  return new Error(`tfjs cannot start the backend '${name}'`);
}

function reasonOf(failure: unknown): string {
  if (isNotInstalled(failure)) return 'not installed';
  const message = failure instanceof Error ? failure.message : String(failure);
  return message.split('\n')[0] ?? '';
}

function unknownBackend(wanted: string, candidates: readonly BackendCandidate[]): Error {
  const names = [...new Set(candidates.map(({ name }) => name))];
  const near = nearNames(wanted, names);
  return problem('setup', {
    what: `there is no backend '${wanted}'`,
    expected: names.join(', '),
    ...(near.length > 0 && { fix: `did you mean ${near.join(' or ')}?` }),
  });
}
