// A filter of classic BPF for seccomp, as bwrap loads it by descriptor: what a job may not ask of the kernel.

type Machine = 'x64' | 'arm64';

const auditArch: Record<Machine, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** Numbers on x64 and arm64; null where the machine has no such call. */
const refused: ReadonlyArray<readonly [name: string, x64: number | null, arm64: number | null]> = [
  ['mount', 165, 40],
  ['umount2', 166, 39],
  ['pivot_root', 155, 41],
  ['chroot', 161, 51],
  ['open_tree', 428, 428],
  ['move_mount', 429, 429],
  ['fsopen', 430, 430],
  ['fsconfig', 431, 431],
  ['fsmount', 432, 432],
  ['fspick', 433, 433],
  ['mount_setattr', 442, 442],
  ['unshare', 272, 97],
  ['setns', 308, 268],
  ['ptrace', 101, 117],
  ['process_vm_readv', 310, 270],
  ['process_vm_writev', 311, 271],
  ['kcmp', 312, 272],
  ['pidfd_getfd', 438, 438],
  ['bpf', 321, 280],
  ['perf_event_open', 298, 241],
  ['userfaultfd', 323, 282],
  ['add_key', 248, 217],
  ['request_key', 249, 218],
  ['keyctl', 250, 219],
  ['kexec_load', 246, 104],
  ['kexec_file_load', 320, 294],
  ['init_module', 175, 105],
  ['finit_module', 313, 273],
  ['delete_module', 176, 106],
  ['reboot', 169, 142],
  ['swapon', 167, 224],
  ['swapoff', 168, 225],
  ['acct', 163, 89],
  ['quotactl', 179, 60],
  ['quotactl_fd', 443, 443],
  ['settimeofday', 164, 170],
  ['clock_settime', 227, 112],
  ['clock_adjtime', 305, 266],
  ['adjtimex', 159, 171],
  ['sethostname', 170, 161],
  ['setdomainname', 171, 162],
  ['syslog', 103, 116],
  ['vhangup', 153, 58],
  ['open_by_handle_at', 304, 265],
  ['name_to_handle_at', 303, 264],
  ['fanotify_init', 300, 262],
  ['lookup_dcookie', 212, 18],
  ['nfsservctl', 180, 42],
  ['iopl', 172, null],
  ['ioperm', 173, null],
  ['modify_ldt', 154, null],
  ['uselib', 134, null],
  ['ustat', 136, null],
  ['sysfs', 139, null],
  ['_sysctl', 156, null],
  ['create_module', 174, null],
  ['get_kernel_syms', 177, null],
  ['query_module', 178, null],
  ['move_pages', 279, 239],
  ['mbind', 237, 235],
  ['set_mempolicy', 238, 237],
  ['migrate_pages', 256, 238],
];

/** Answered "no such call", so that libraries take their older way. */
const unknown: ReadonlyArray<readonly [name: string, x64: number, arm64: number]> = [
  ['clone3', 435, 435],
  ['io_uring_setup', 425, 425],
  ['io_uring_enter', 426, 426],
  ['io_uring_register', 427, 427],
];

const clone = { x64: 56, arm64: 220 };
const ioctl = { x64: 16, arm64: 29 };
const socket = { x64: 41, arm64: 198 };
const newNamespaces = 0x7e020000;
const terminalInjections = [0x5412, 0x541c];
const allowedFamilies = [1, 2, 10, 16];
const netlink = 16;

const allow = 0x7fff0000;
const killProcess = 0x80000000;
const answer = (errno: number): number => 0x00050000 | errno;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly value: number;
}

const load = (offset: number): Instruction => ({ code: 0x20, jumpTrue: 0, jumpFalse: 0, value: offset });
const end = (value: number): Instruction => ({ code: 0x06, jumpTrue: 0, jumpFalse: 0, value });
const skipIfEqual = (value: number, skip: number): Instruction => ({
  code: 0x15,
  jumpTrue: skip,
  jumpFalse: 0,
  value,
});
const skipUnlessEqual = (value: number, skip: number): Instruction => ({
  code: 0x15,
  jumpTrue: 0,
  jumpFalse: skip,
  value,
});
const skipUnlessAtLeast = (value: number, skip: number): Instruction => ({
  code: 0x35,
  jumpTrue: 0,
  jumpFalse: skip,
  value,
});
const skipUnlessAnyBit = (value: number, skip: number): Instruction => ({
  code: 0x45,
  jumpTrue: 0,
  jumpFalse: skip,
  value,
});
/** The low half of an argument; the kernel looks at no more of these three. */
const argument = (n: number): number => 16 + 8 * n;

/** The filter as bytes. Foreign architectures and the x32 table are killed. */
export function seccompFilter(machine: Machine): Buffer {
  const program: Instruction[] = [load(4), skipIfEqual(auditArch[machine], 1), end(killProcess), load(0)];
  if (machine === 'x64') program.push(skipUnlessAtLeast(0x40000000, 1), end(killProcess));
  for (const [, x64, arm64] of refused) {
    const number = machine === 'x64' ? x64 : arm64;
    if (number !== null) program.push(skipUnlessEqual(number, 1), end(answer(EPERM)));
  }
  for (const [, x64, arm64] of unknown)
    program.push(skipUnlessEqual(machine === 'x64' ? x64 : arm64, 1), end(answer(ENOSYS)));
  program.push(
    ...when(clone[machine], [
      load(argument(0)),
      skipUnlessAnyBit(newNamespaces, 1),
      end(answer(EPERM)),
      end(allow),
    ]),
  );
  program.push(
    ...when(ioctl[machine], [
      load(argument(1)),
      ...terminalInjections.flatMap((request) => [skipUnlessEqual(request, 1), end(answer(EPERM))]),
      end(allow),
    ]),
  );
  program.push(
    ...when(socket[machine], [
      load(argument(0)),
      ...allowedFamilies
        .filter((family) => family !== netlink)
        .flatMap((family) => [skipUnlessEqual(family, 1), end(allow)]),
      skipUnlessEqual(netlink, 3),
      load(argument(2)),
      skipUnlessEqual(0, 1),
      end(allow),
      end(answer(EAFNOSUPPORT)),
    ]),
  );
  program.push(end(allow));
  return assemble(program);
}

function when(call: number, body: readonly Instruction[]): Instruction[] {
  return [skipUnlessEqual(call, body.length), ...body];
}

function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach((instruction, n) => {
    bytes.writeUInt16LE(instruction.code, n * 8);
    bytes.writeUInt8(instruction.jumpTrue, n * 8 + 2);
    bytes.writeUInt8(instruction.jumpFalse, n * 8 + 3);
    bytes.writeUInt32LE(instruction.value >>> 0, n * 8 + 4);
  });
  return bytes;
}
