// `-` in the place of an org's id: from standard input, in every command that takes an id; and what the list of
// processes shows meanwhile, by the real program.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { REGISTRATIONS } from '../../../src/cli/commands/index.js';
import { runCli } from '../../../src/cli/run-cli.js';
import { readOneLine } from '../../../src/cli/terminal/io.js';
import { bundleProcess } from '../../support/bundle-process.js';
import { waitFor } from '../../support/wait.js';
import { captureIo } from '../captured-io.js';

/** Every command that takes the id of an org, as it is called with `id`. */
function listCalls(id: string): readonly (readonly string[])[] {
  const cli = new Command();
  for (const register of REGISTRATIONS) register(cli, async () => undefined);
  const walk = (command: Command, path: readonly string[]): readonly (readonly string[])[] => {
    const needed = command.options
      .filter((option) => option.mandatory)
      .flatMap((option) => [String(option.long), option.attributeName() === 'dc' ? 'eu' : 'x']);
    const takes = command.registeredArguments.some((argument) => argument.name() === 'org');
    const option = command.options.some(({ long }) => long === '--org');
    return [
      ...(takes ? [[...path, id, ...needed]] : []),
      ...(option ? [[...path, ...needed, '--org', id]] : []),
      ...command.commands.flatMap((child) => walk(child, [...path, child.name()])),
    ];
  };
  return walk(cli, []);
}

describe('the id of an org', () => {
  test('is an argument of these commands', () => {
    expect(
      listCalls('-')
        .map((call) => call.slice(0, 2).join(' '))
        .sort(),
    ).toEqual(['exception add', 'exception answer', 'meter enforce', 'override -', 'protect -', 'usage show', 'why -']);
  });

  test.each(listCalls('-'))('is read from standard input by %s %s', async (...call) => {
    const io = captureIo();
    expect(await runCli(call.filter(Boolean), io)).toBe(1);
    expect(io.errors()).toContain('Standard input does not have exactly one line of at most 2000 bytes');
  });

  test.each(listCalls('ä'.repeat(1_001)))('is refused by %s %s where it is too long', async (...call) => {
    const io = captureIo();
    expect(await runCli(call.filter(Boolean), io)).toBe(1);
    expect(io.errors()).toContain('has 2002 bytes');
  });

  test.each([
    ['acme\n', 'acme'],
    ['acme', 'acme'],
    [' ac me \r\n', ' ac me '],
    ['\n', ''],
    ['-\n', '-'],
    ['', undefined],
    ['a\nb\n', undefined],
    ['a\n\n', undefined],
    [`${'x'.repeat(21)}\n`, undefined],
  ])('of %j is %j', async (text, id) => {
    const input = async function* () {
      for (const byte of Buffer.from(text)) yield Buffer.from([byte]);
    };
    const whole = async function* () {
      yield Buffer.from(text);
    };
    expect(await readOneLine(whole(), 20)).toBe(id);
    if (!text.includes('\n', text.indexOf('\n') + 1)) expect(await readOneLine(input(), 20)).toBe(id);
  });

  test.runIf(process.platform === 'linux')('is not in the list of processes while the program runs', async () => {
    const main = await bundleProcess(new URL('../../../src/cli/main.ts', import.meta.url).pathname);
    const args = [main, 'exception', 'add', '-', '--dc', 'eu', '--text', 'MARKER', '--config', '/nowhere'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    const ended = once(child, 'exit');
    const shown = await waitFor('its title', async () => {
      const text = await readFile(`/proc/${child.pid}/cmdline`, 'latin1');
      return text.startsWith('credit-rollout') ? text : undefined;
    });
    expect(shown.replaceAll('\0', '')).toBe('credit-rollout');
    child.stdin.end('acme\n');
    expect(await ended).toEqual([1, null]);
  });
});
