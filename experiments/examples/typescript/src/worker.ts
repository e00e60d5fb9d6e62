// A trainer in TypeScript: it serves the activity `Trial` on the task queue of the
// trainer `waves`. What comes and goes is JSON, as experiments/trainer/FORMAT.md has it.
import { randomUUID } from 'node:crypto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { Context } from '@temporalio/activity';
import { type Outcome, type Request, train } from './train.js';

// By its last heartbeat a process that died is told from one that was only silent.
const name = randomUUID();

async function Trial(request: Request): Promise<Outcome> {
  const context = Context.current();
  return train(request, (step, steps, metrics) => {
    context.heartbeat({ step, steps, metrics, process: name });
    context.cancellationSignal.throwIfAborted();
  });
}

const connection = await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233' });
const worker = await Worker.create({
  connection,
  namespace: process.env.TEMPORAL_NAMESPACE ?? 'default',
  taskQueue: 'tnaml-waves',
  activities: { Trial },
  maxConcurrentActivityTaskExecutions: Number(process.env.SLOTS ?? 4),
});
await worker.run();
await connection.close();
