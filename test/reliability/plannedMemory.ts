/**
 * Trains on short and long batches, without drops and with them, each in a process of its own, and looks whether its memory is what the
 * plan says: a plan that says too little lets a run fail, one that says too much refuses a run that would fit.
 *
 *     npx tsx --tsconfig tsconfig.built.json test/reliability/plannedMemory.ts
 *
 * Needs the built packages: npm start makes them.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, planStep } from '@dropbp/compose';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { adamW } from '@dropbp/train';

interface Case {
  readonly batch: number;
  readonly time: number;
  readonly rate: number;
  readonly checkpointing: boolean;
}

const [leastRatio, mostRatio] = [0.9, 1.3];
/** Sessions of the first have arenas, of the second some give their memory back. */
const [short, long] = [{ batch: 4, time: 256 }, { batch: 1, time: 4096 }]; // prettier-ignore
const cases = [
  { ...short, checkpointing: false },
  { ...long, checkpointing: false },
  { ...long, checkpointing: true },
].flatMap(shape => [0, 0.75].map((rate): Case => ({ ...shape, rate })));
const config = {
  model_type: 'llama',
  vocab_size: 8192,
  hidden_size: 512,
  intermediate_size: 1408,
  num_hidden_layers: 6,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
};

const given = process.argv[2];
if (given !== undefined) console.log(JSON.stringify(await memoryOf(JSON.parse(given) as Case)));
else process.exitCode = compareAll();

function compareAll(): number {
  let wrong = 0;
  for (const one of cases) {
    const { batch, time, rate, checkpointing } = one;
    const args = [...process.execArgv, fileURLToPath(import.meta.url), JSON.stringify(one)];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    const { planned, peak } = JSON.parse(output.trim().split('\n').at(-1)!) as Awaited<ReturnType<typeof memoryOf>>;
    const ratio = planned / peak;
    const isRight = ratio >= leastRatio && ratio <= mostRatio;
    if (!isRight) wrong++;
    const what = `${batch} × ${time} at ${rate}${checkpointing ? ', checkpointing' : ''}`;
    console.log(`${what}: planned ${planned} MiB, peak ${peak} MiB, ${ratio.toFixed(2)}${isRight ? '' : `: not ${leastRatio} to ${mostRatio}`}`); // prettier-ignore
  }
  return wrong === 0 ? 0 : 1;
}

/** MiB that the plan says, and that the process came to in two steps. */
async function memoryOf({ batch, time, rate, checkpointing }: Case): Promise<{ planned: number; peak: number }> {
  await tf.setBackend('ort');
  const model = createModel(config, { seed: 1 });
  // Even draws: every step drops as much.
  const drops = rate === 0 ? undefined : dropBP({ rate, calibration: false, sampling: 'pivotal' });
  const tuned = compose(model, lora({ rank: 8, targetModules: ['q_proj', 'v_proj'] }), drops, { checkpointing });
  const optimizer = adamW({ learningRate: 1e-4 });
  const ids = Int32Array.from({ length: batch * time }, (_, i) => (i * 7919 + 3) % model.vocabSize);
  const inputIds = tf.tensor2d(ids, [batch, time], 'int32');
  for (let step = 0; step < 2; step++) {
    const { value, gradients } = await tuned.valueAndGradients({ inputIds, labels: inputIds }, { step });
    optimizer.apply(tuned.parameters, gradients);
    await value.data();
    tf.dispose([value, ...gradients.values()]);
  }
  const peak = Math.round(process.resourceUsage().maxRSS / 2 ** 10);
  return { planned: Math.round(planStep(tuned, { batch, time }).memory(rate) / 2 ** 20), peak };
}
