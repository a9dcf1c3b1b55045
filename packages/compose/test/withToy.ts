import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, beforeEach } from 'vitest';
import type { Batch, Model } from '@dropbp/core';
import { toyBatch, toyModel } from '@dropbp/testing';

/** What each test of a `describe` has to itself. */
export interface Toy {
  readonly model: Model;
  readonly batch: Batch;
}

/** Makes the toy model and a batch on a backend before each test of a `describe`, and frees them behind it. */
export function withToy(backend: string, begin: (toy: Toy) => void): void {
  let toy: Toy;
  beforeEach(async () => {
    await tf.setBackend(backend);
    toy = { model: toyModel(), batch: toyBatch() };
    begin(toy);
  });
  afterEach(() => {
    toy.model.dispose();
    tf.dispose([toy.batch.inputIds, toy.batch.labels]);
  });
  afterAll(async () => {
    await tf.setBackend('cpu');
  });
}
