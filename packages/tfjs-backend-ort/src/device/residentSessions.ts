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
  #bytes = 0;

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
    const { bytes } = session;
    if (session.loaded === undefined) this.#makeRoom(bytes);
    session.loaded ??= this.#load(session.model);
    if (bytes < worthUnloading) return session.loaded;
    this.#forget(session);
    this.#large.add(session);
    this.#bytes += bytes;
    return session.loaded;
  }

  unload(session: Resident<S>): void {
    this.#forget(session);
    session.loaded?.dispose();
    session.loaded = undefined;
  }

  #forget(session: Resident<S>): void {
    if (this.#large.delete(session)) this.#bytes -= session.bytes;
  }

  #makeRoom(bytes: number): void {
    for (const session of [...this.#large].slice(0, -alternating)) {
      if (this.#bytes + bytes <= this.#roomBytes) return;
      this.unload(session);
    }
  }
}
