// An address to listen on, as --listen of a process names it.
import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import type { ListenAddress } from '../../compose-listener.js';

const ADDRESS = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/iu;
const MAX_PORT = 65_535;

/** `127.0.0.1:9464`, `[::1]:9464`, `0.0.0.0:9464`; commander names the option in the error. */
export function parseListen(text: string): ListenAddress {
  const [, v6, v4, port] = ADDRESS.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  if (isIP(host) !== (v6 === undefined ? 4 : 6) || Number(port) > MAX_PORT)
    throw new InvalidArgumentError('Write an IP address and a port, for example 127.0.0.1:9464 or [::1]:9464.');
  return { host, port: Number(port) };
}
