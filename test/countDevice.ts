import type { OrtBackend } from '@dropbp/tfjs-backend-ort';

/** What a device has been asked for. */
export interface DeviceCount {
  /** Sessions that ran. */
  readonly runs: number;
  /** Sessions that were loaded. */
  readonly loads: number;
  reset(): void;
  /** Counts no longer. */
  stop(): void;
}

/** Counts what a device is asked for from now on. */
export function countDevice(device: OrtBackend['device']): DeviceCount {
  const [run, load] = [device.run.bind(device), device.load.bind(device)];
  let runs = 0;
  let loads = 0;
  device.run = (...args) => {
    runs++;
    run(...args);
  };
  device.load = (...args) => {
    loads++;
    return load(...args);
  };
  return {
    get runs() {
      return runs;
    },
    get loads() {
      return loads;
    },
    reset() {
      runs = loads = 0;
    },
    stop: () => Object.assign(device, { run, load }),
  };
}
