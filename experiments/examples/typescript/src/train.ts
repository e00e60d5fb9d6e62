// The model: ridge regression on random Fourier features, by stochastic gradient
// descent. It stands for whatever takes long: it is checkpointed after each epoch.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface Request {
  trial: number;
  task: { name: string; kind?: string; data?: string; parameters?: { frequency: number; noise: number } };
  choices: { features: number; bandwidth: number; learning_rate: number; l2: number; epochs: number };
  seed: number;
}

export interface Outcome {
  status: 'ok' | 'failed' | 'diverged';
  reason?: string;
  metrics?: Record<string, number>;
  steps?: number;
}

type Tell = (step: number, steps: number, metrics: Record<string, number>) => void;

// random is a generator of numbers in [0, 1) (mulberry32): equal seeds, equal numbers.
function random(seed: string): () => number {
  let a = createHash('sha256').update(seed).digest().readUInt32LE(0);
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const normal = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

// A task is a noisy wave, drawn by its name: points x with their y.
function data(task: Request['task'], split: string, n: number): [number, number][] {
  const { frequency, noise } = task.parameters!;
  const next = random(`${task.name} ${split}`);
  return Array.from({ length: n }, () => {
    const x = 2 * next() - 1;
    return [x, Math.sin(frequency * x) + 0.5 * Math.cos(3 * frequency * x) + noise * normal(next)];
  });
}

// Checkpoints are named by what the outcome depends on, wherever the trial is run again.
const checkpoints = process.env.CHECKPOINTS ?? 'checkpoints';
const key = (r: Request): string =>
  join(checkpoints, createHash('sha256').update(JSON.stringify([r.task, r.choices, r.seed])).digest('hex') + '.json');

export async function train(r: Request, tell: Tell): Promise<Outcome> {
  if (typeof r.task.parameters?.frequency !== 'number') {
    return { status: 'failed', reason: `the task ${r.task.name} lacks the parameter "frequency"` };
  }
  const { features, bandwidth, learning_rate, l2, epochs } = r.choices;
  const draw = random(`features ${r.seed}`);
  const waves = Array.from({ length: features }, () => [normal(draw) / bandwidth, 2 * Math.PI * draw()]);
  const phi = (x: number): number[] => waves.map(([w, b]) => Math.sqrt(2 / features) * Math.cos(w * x + b));
  const predict = (weights: number[], f: number[]): number => f.reduce((sum, v, i) => sum + v * weights[i], 0);
  const rmse = (weights: number[], points: [number, number][]): number =>
    Math.sqrt(points.reduce((sum, [x, y]) => sum + (predict(weights, phi(x)) - y) ** 2, 0) / points.length);
  const training = data(r.task, 'training', 200).map(([x, y]) => ({ f: phi(x), y }));
  const validation = data(r.task, 'validation', 200);

  let state = { epoch: 0, weights: new Array<number>(features).fill(0) };
  mkdirSync(checkpoints, { recursive: true });
  try {
    state = JSON.parse(readFileSync(key(r), 'utf8'));
    console.log(`trial ${r.trial} of ${r.task.name} goes on after epoch ${state.epoch}`);
  } catch {
    // There is none: it begins.
  }
  while (state.epoch < epochs) {
    for (const { f, y } of training) {
      const error = predict(state.weights, f) - y;
      state.weights = state.weights.map((w, i) => w - learning_rate * (error * f[i] + l2 * w));
    }
    state.epoch++;
    const score = rmse(state.weights, validation);
    if (!Number.isFinite(score) || score > 1e6) {
      rmSync(key(r), { force: true });
      return { status: 'diverged', reason: `the error is not finite after ${state.epoch} epochs`, steps: state.epoch };
    }
    writeFileSync(key(r) + '.new', JSON.stringify(state));
    renameSync(key(r) + '.new', key(r)); // whole, or not at all
    tell(state.epoch, epochs, { validation_rmse: score });
    await setTimeout(Number(process.env.EPOCH_MS ?? 0));
  }
  rmSync(key(r), { force: true });
  return {
    status: 'ok',
    metrics: { validation_rmse: rmse(state.weights, validation), test_rmse: rmse(state.weights, data(r.task, 'test', 1000)) },
    steps: epochs,
  };
}
