// `npm start`: set-up, then a whole rollout of sample data, shown while it runs.
process.argv.splice(2, 0, 'demo');
await import('./rollout.mjs');
