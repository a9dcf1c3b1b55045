import * as tf from '@tensorflow/tfjs';
import { errorCode, nearNames, problem } from '@dropbp/basics';

/** A backend that can be chosen. */
export interface BackendCandidate {
  /** As tfjs knows it. */
  readonly name: string;
  /** Makes the backend known to tfjs. @throws if it is not installed or does not run here */
  readonly register: () => Promise<unknown>;
}

/** What {@link chooseBackend} takes. */
export interface ChooseBackendOptions {
  /** Takes this one or fails. @defaultValue the first that works */
  readonly wanted?: string | undefined;
  /** Best first. @defaultValue tensorflow, ort, wasm, cpu */
  readonly candidates?: readonly BackendCandidate[];
}

/** The backend that is now active. */
export interface ChosenBackend {
  readonly name: string;
  /** Those that were tried before, and why they were not taken. */
  readonly passedOver: readonly { readonly name: string; readonly reason: string }[];
}

// Not a literal, so that neither bundlers nor the compiler ask for a package that need not be installed.
const tfjsNode = '@tensorflow/tfjs-node';

/** The backends for Node, best first. */
export const backendCandidates: readonly BackendCandidate[] = [
  { name: 'tensorflow', register: () => import(tfjsNode) },
  { name: 'ort', register: () => import('@dropbp/tfjs-backend-ort') },
  { name: 'wasm', register: () => import('@tensorflow/tfjs-backend-wasm') },
  { name: 'cpu', register: () => Promise.resolve() },
];

/**
 * Activates a tfjs backend: the one that is wanted, or the first that is installed and works.
 *
 * @throws Problem if the wanted one is unknown or fails, or none works
 */
export async function chooseBackend(options: ChooseBackendOptions = {}): Promise<ChosenBackend> {
  const { wanted, candidates = backendCandidates } = options;
  // Production mode leaves out tfjs's advice on start-up; nothing else that we use depends on it.
  tf.enableProdMode();
  if (wanted !== undefined) {
    const candidate = candidates.find(({ name }) => name === wanted);
    if (candidate === undefined) throw unknownBackend(wanted, candidates);
    const failure = await activate(candidate);
    if (failure === undefined) return { name: wanted, passedOver: [] };
    throw problem('cli', {
      what: `the backend '${wanted}' does not work here`,
      got: reasonOf(failure),
      fix: wanted === 'tensorflow' ? `install ${tfjsNode} beside dropbp` : 'leave out --backend to take one that works',
      cause: failure,
    });
  }
  const passedOver: { name: string; reason: string }[] = [];
  for (const candidate of candidates) {
    const failure = await activate(candidate);
    if (failure === undefined) return { name: candidate.name, passedOver };
    passedOver.push({ name: candidate.name, reason: reasonOf(failure) });
  }
  throw problem('cli', {
    what: 'no backend works here',
    got: passedOver.map(({ name, reason }) => `${name}: ${reason}`).join('; '),
    isFailure: true,
  });
}

/** Registers, activates and tries a candidate; returns what went wrong. */
async function activate({ name, register }: BackendCandidate): Promise<unknown> {
  try {
    await register();
    if (!(await tf.setBackend(name))) return new Error(`tfjs cannot start the backend '${name}'`);
    const sum = tf.tidy(() => tf.tensor1d([1, 2]).add(tf.scalar(3)));
    const [first, second] = await sum.data();
    sum.dispose();
    return first === 4 && second === 5 ? undefined : new Error('it computes 1 + 3 wrongly');
  } catch (error) {
    return error ?? new Error('it failed without a reason');
  }
}

function reasonOf(failure: unknown): string {
  if (errorCode(failure) === 'ERR_MODULE_NOT_FOUND') return 'not installed';
  const message = failure instanceof Error ? failure.message : String(failure);
  return message.split('\n')[0] ?? '';
}

function unknownBackend(wanted: string, candidates: readonly BackendCandidate[]): Error {
  const names = candidates.map(({ name }) => name);
  const near = nearNames(wanted, names);
  return problem('cli', {
    what: `there is no backend '${wanted}'`,
    expected: names.join(', '),
    ...(near.length > 0 && { fix: `did you mean ${near.join(' or ')}?` }),
  });
}
