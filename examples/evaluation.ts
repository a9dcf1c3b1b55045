/**
 * Measures a model: perplexity of a text, and questions with several answers, of which it takes the one that it finds most
 * probable. On a terminal `dropbp evaluate` does the same with files in the forms of ARC, HellaSwag, PIQA and MMLU.
 */
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { loadTokenizer, readText, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { evaluateLoss, logLikelihoods, train, type ScoredSequence } from '@dropbp/train';

const base = 'models/austen-base';
const tokenizer = await loadTokenizer(base);
const tokens = tokenizer.encode(await readText('examples/data/kjv.txt.gz'));
const [heldOut, training] = [tokens.slice(0, 8192), tokens.slice(8192)];

const questions = [
  { question: 'And the LORD spake unto', answers: [' Miss Bingley', ' Moses'], right: 1 },
  { question: 'And the king', answers: [' said unto him', ' was a very agreeable man'], right: 0 },
  { question: 'These are the sons of', answers: [' the Rushworths', ' Israel'], right: 1 },
  { question: 'And it came to', answers: [' pass', ' Highbury'], right: 0 },
  { question: 'Thus saith the', answers: [' LORD', ' housekeeper'], right: 0 },
];

const tuned = compose(await loadModel(base), lora({ rank: 16, targetModules: 'all-linear' }), dropBP({ rate: 0.5 }));
await measure('before');
const batches = textBatches(training, { batchSize: 4, seqLen: 64, seed: 1 });
for await (const { step, loss } of train(tuned, batches, { steps: 60, learningRate: 1e-2 })) {
  if (step % 20 === 0) console.log(`step ${step}: loss ${loss.toFixed(2)}`);
}
await measure('after');

async function measure(when: string): Promise<void> {
  const loss = await evaluateLoss(tuned, textBatches(heldOut, { batchSize: 8, seqLen: 64, seed: 0, epochs: 1 }));
  let rightOnes = 0;
  for (const { question, answers, right } of questions) {
    const scores = await logLikelihoods(tuned, answers.map(answer => scored(question, answer))); // prettier-ignore
    // By length in bytes, so that a long answer is not the worse for it.
    const normalised = scores.map((score, i) => score / Buffer.byteLength(answers[i]!));
    if (normalised.indexOf(Math.max(...normalised)) === right) rightOnes++;
  }
  console.log(`${when}: perplexity ${Math.exp(loss).toFixed(1)}, ${rightOnes} of ${questions.length} answers right`);
}

/** The answer's tokens count, the question's do not. */
function scored(question: string, answer: string): ScoredSequence {
  const start = tokenizer.encode(question).length;
  const ids = tokenizer.encode(question + answer);
  return { ids, labels: ids.map((id, i) => (i < start ? -100 : id)) };
}
