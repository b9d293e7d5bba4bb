/** `npm run bench -- NAME [options]`. */
const BENCHES = {
  tag: 'throughput of `c2srt tag` beside a bare loop [--quick] [--only demo|vit] [--rounds N]',
  vocabularies:
    'time of `c2srt tag` with two vocabularies beside two runs with one each [--only demo|vit] [--rounds N] [--images N]',
  memory:
    'process memory of a vocabulary of 7,186 categories on a ViT-B/16-sized model [--form FORM] [--vocabularies N]; --train: of a training step; --evaluate: of the figures of 7,586 categories [--images N,N]',
  train:
    'time of a training step beside PyTorch [--only TEXT] [--rounds N] [--threads N] [--python PATH] [--no-torch]',
  world:
    'what training gains on the bundled world [--world DIR] [--seeds N] [--shards 1,2] [--config FILE] [--held-back QUARTER] [--work DIR] [--json FILE]',
  scenes: 'how fast scenes of the benchmark world are drawn [--count N] [--domain web|target]',
  evidence:
    'whether the patches kept for a category lie on its objects: --world FOLDER --model FOLDER [--images N] [--json FILE]',
  decode: 'what decoding in child processes costs: FOLDER [--images N] [--size S] [--rounds N]',
};

const [name] = process.argv.splice(2, 1);
switch (name) {
  case 'tag':
    await import('./tag/main.ts');
    break;
  case 'vocabularies':
    await import('./tag/vocabularies.ts');
    break;
  case 'memory':
    if (process.argv.includes('--train')) await import('./train/memory.ts');
    else if (process.argv.includes('--evaluate')) await import('./evaluate/memory.ts');
    else await import('./memory.ts');
    break;
  case 'train':
    await import('./train/main.ts');
    break;
  case 'world':
    await import('./world.ts');
    break;
  case 'scenes':
    await import('./scenes.ts');
    break;
  case 'evidence':
    await import('./evidence/main.ts');
    break;
  case 'decode':
    await import('./decode.ts');
    break;
  case undefined:
  default:
    console.error(`usage: npm run bench -- NAME [options]\n`);
    for (const [known, text] of Object.entries(BENCHES)) console.error(`  ${known.padEnd(8)} ${text}`);
    process.exitCode = 2;
}
