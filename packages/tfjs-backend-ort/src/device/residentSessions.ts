import type { OnnxModel } from '../onnx/onnxModel.ts';
import { temporaryBytes } from './temporaryBytes.ts';

/** A loaded session as {@link ResidentSessions} holds it. */
export interface Disposable {
  dispose(): void;
}

/** A session that is loaded while it is in use, and again when it runs after that. */
export interface Resident<S extends Disposable> {
  readonly model: OnnxModel;
  /** What it keeps between its runs. */
  readonly bytes: number;
  loaded: S | undefined;
}

/** Sessions that keep less are not worth loading again. */
const worthUnloading = 8 * 2 ** 20;
/** Those that ran last and stay: branches of two kinds take turns. */
const alternating = 2;

/**
 * Sessions of which those that ran last stay loaded. As long as a session is loaded, ONNX Runtime keeps the memory for what lies
 * between its operations, and no session uses that of another. With long sequences a training step's sessions would hold more of it
 * than the step needs for all its tensors: here those of the forward pass go when the backward pass needs room.
 */
export class ResidentSessions<S extends Disposable> {
  readonly #load: (model: OnnxModel) => S;
  readonly #roomBytes: number;
  /** The large ones that are loaded; those that ran last are at the end. */
  readonly #large = new Set<Resident<S>>();

  /** @param roomBytes - what large sessions may keep together, where those that take turns do not need more */
  constructor(load: (model: OnnxModel) => S, roomBytes: number) {
    this.#load = load;
    this.#roomBytes = roomBytes;
  }

  add(model: OnnxModel): Resident<S> {
    const session: Resident<S> = { model, bytes: temporaryBytes(model), loaded: undefined };
    this.use(session);
    return session;
  }

  /** The session, loaded; others may have gone for it. */
  use(session: Resident<S>): S {
    const isLarge = session.bytes >= worthUnloading;
    if (isLarge && session.loaded === undefined) this.#makeRoom(session.bytes);
    session.loaded ??= this.#load(session.model);
    this.#large.delete(session);
    if (isLarge) this.#large.add(session);
    return session.loaded;
  }

  unload(session: Resident<S>): void {
    this.#large.delete(session);
    session.loaded?.dispose();
    session.loaded = undefined;
  }

  #makeRoom(bytes: number): void {
    const large = [...this.#large];
    let kept = large.reduce((sum, session) => sum + session.bytes, 0);
    for (const session of large.slice(0, -alternating)) {
      if (kept + bytes <= this.#roomBytes) return;
      kept -= session.bytes;
      this.unload(session);
    }
  }
}
