import { mpiKinds, type MpiKind } from './mpiKinds.ts';
import { expectDone, reports, runLauncher, type RanksOutcome } from './runRanks.ts';

/** What the program `trainRun` is to do. */
export interface TrainRun {
  readonly adapter: 'lora' | 'full';
  readonly steps: number;
  /** Whether DropBP drops half of the backward pass, by sensitivities that it measures on the way. */
  readonly dropped?: boolean;
  readonly accumulation?: number;
  readonly checkpoints?: string;
  /** Ends behind this step, as a run that is stopped. */
  readonly stopAfter?: number;
  readonly pauseMs?: number;
  readonly timeoutSeconds?: number;
  /** Where rank 0 puts the adapter at the end. */
  readonly adapterFolder?: string;
}

/** What a rank of it says at the end. */
export interface TrainRunReport {
  readonly rank: number;
  readonly size: number;
  readonly localSize: number;
  readonly losses: readonly number[];
  /** In each step, of all ranks. */
  readonly tokens: readonly number[];
  /** A hash of all bits of what was trained. */
  readonly weights: string;
}

/** The command of one rank. */
export function trainCommand(run: TrainRun): string[] {
  return [process.execPath, '--import', 'tsx', 'test/mpi/programs/trainRun.ts', JSON.stringify(run)];
}

/** Threads of ONNX Runtime add up in another order than one does: a rank and a run alone have one each. */
export const oneThread = { DROPBP_THREADS: '1' };

/** The run on this process alone. */
export async function trainAlone(run: TrainRun): Promise<TrainRunReport> {
  const [report] = expectReports(await runLauncher(trainCommand(run), { environment: oneThread }), 1);
  return report!;
}

/** The run on ranks of this machine, rank 0 first. */
export async function trainOnRanks(
  run: TrainRun,
  ranks = 2,
  kind: MpiKind = mpiKinds[0]!,
): Promise<readonly TrainRunReport[]> {
  const line = [...kind.launcher, '-n', String(ranks), ...trainCommand(run)];
  return expectReports(await runLauncher(line, { environment: { ...kind.environment, ...oneThread } }), ranks);
}

/** @throws Error with what was said where a rank did not come to its end */
export function expectReports(outcome: RanksOutcome, ranks: number): readonly TrainRunReport[] {
  expectDone(outcome);
  const found = reports<TrainRunReport>(outcome).sort((a, b) => a.rank - b.rank);
  if (found.length === ranks) return found;
  throw new Error(`${found.length} of ${ranks} ranks came to the end:\n${outcome.out}`);
}
