import type { RunEvent } from './runEvent.ts';

/** Hears of what happens in a run: a progress bar, a log, TensorBoard's file. */
export interface RunObserver {
  observe(event: RunEvent): void;
  /** Brings all that was heard of to the disk: before a checkpoint counts it as done. */
  flush(): void;
  /** A second call does nothing, or is not made. */
  close(): void;
}
