import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { pushToHub } from '@dropbp/hub';
import { fakeRun } from '../../packages/cli/test/fakeRun.ts';
import { modelCard } from '../../packages/cli/src/commands/push/modelCard.ts';
import { startHubServer } from '../../packages/hub/test/hubServer.ts';

const script = `
import sys
from huggingface_hub import HfApi
api = HfApi(endpoint=sys.argv[1], token="hf_writer")
api.create_repo("someone/python", private=True)
api.upload_folder(repo_id="someone/python", folder_path=sys.argv[2])
api.create_branch("someone/python", branch="v2")
api.upload_folder(repo_id="someone/python", folder_path=sys.argv[2], revision="v2")
`;

const readCard = `
import json, sys
from huggingface_hub import ModelCard
data = ModelCard.load(sys.argv[1]).data
print(json.dumps({
  "base": data.base_model, "library": data.library_name, "tags": data.tags,
  "metrics": [[r.task_type, r.dataset_name, r.metric_type, r.metric_value] for r in data.eval_results],
}))
`;

it('writes model cards whose metrics Python reads', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dropbp-card-'));
  const file = join(folder, 'README.md');
  const record = fakeRun();
  const config = { peft_type: 'LORA', r: 8, lora_alpha: 16, target_modules: ['q_proj'] };
  writeFileSync(file, modelCard({ kind: 'adapter', id: 'someone/name', base: 'someone/base', config, record }));
  const { stdout } = await promisify(execFile)('.venv/bin/python', ['-c', readCard, file]);
  const read = JSON.parse(stdout) as { base: string; library: string; tags: string[]; metrics: unknown[][] };
  expect(read).toMatchObject({ base: 'someone/base', library: 'peft', tags: ['dropbp', 'lora'] });
  const loss = record.heldOut.find(({ step }) => step === record.ended!.keptStep)!.loss;
  expect(read.metrics.map(([task, , metric, value]) => [task, metric, value])).toEqual([
    ['text-generation', 'loss', Number(loss.toPrecision(5))],
    ['text-generation', 'perplexity', Number(Math.exp(loss).toPrecision(5))],
  ]);
  rmSync(folder, { recursive: true });
});

it("leaves a repository as Python's upload_folder does, on a server that serves both", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dropbp-push-'));
  const server = await startHubServer({});
  try {
    writeFileSync(join(folder, 'adapter_config.json'), '{"peft_type": "LORA"}');
    writeFileSync(join(folder, 'adapter_model.safetensors'), Buffer.alloc(250_001, 7));
    writeFileSync(join(folder, 'README.md'), '# an adapter');
    const home = { HF_HOME: `${folder}-home`, HF_HUB_DISABLE_XET: '1', HF_HUB_DISABLE_TELEMETRY: '1' };
    const env = { ...process.env, ...home };
    await promisify(execFile)('.venv/bin/python', ['-c', script, server.url, folder], { env });
    const options = { endpoint: server.url, token: 'hf_writer', isPrivate: true };
    await pushToHub(folder, 'someone/ours', options);
    await pushToHub(folder, 'someone/ours', { ...options, revision: 'v2' });
    const { 'someone/python': python, 'someone/ours': ours } = server.repositories;
    expect(ours!.access).toBe(python!.access);
    for (const branch of ['main', 'v2']) {
      expect(ours!.commits[ours!.refs[branch]!]).toEqual(python!.commits[python!.refs[branch]!]);
    }
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
    rmSync(`${folder}-home`, { recursive: true, force: true });
  }
});
