import type { RunMessage, Wall } from './messages.ts';

// The probe is a job like any other: it goes through the same loop, the same arguments and the same limits, tries to
// reach what it must not, and prints one line for each wall.

/** What the probe is told about the world outside, so that it can recognise it. */
export interface Outside {
  /** `net:[4026531840]` and so on, of the loop that starts the sandbox. */
  readonly namespaces: readonly string[];
  readonly launcherPid: number;
  /** The account that the job should have, null where it keeps the caller's. */
  readonly uid: number | null;
  /** Folders that no job may see. */
  readonly hidden: readonly string[];
}

const script = `uid=$1 launcher=$2 namespaces=$3
shift 3
denied() { echo "$1: denied"; }
open() { echo "$1: open"; }
is() { if [ "$2" = "$3" ]; then denied "$1"; else open "$1"; fi; }
absent() { if [ -e "$2" ]; then open "$1"; else denied "$1"; fi; }
unreadable() { if (: <"$2") 2>/dev/null; then open "$1"; else denied "$1"; fi; }
unwritable() { if (: >"$2") 2>/dev/null; then open "$1"; else denied "$1"; fi; }
fails() { wall=$1; shift; if "$@" >/dev/null 2>&1; then open "$wall"; else denied "$wall"; fi; }

own=$(ls -l /proc/self/ns)
for each in $namespaces; do
  case $own in *"$each"*) open "namespace.\${each%%:*}" ;; *) denied "namespace.\${each%%:*}" ;; esac
done

nobody='' effective='' permitted='' inheritable='' bounding='' ambient='' privileges='' filter='' groups='' ids='' gids=''
while read -r name value rest; do
  case $name in
  Uid:) ids="$value $rest" ;;
  Gid:) gids="$value $rest" ;;
  Groups:) groups="$value $rest" ;;
  CapEff:) effective=$value ;;
  CapPrm:) permitted=$value ;;
  CapInh:) inheritable=$value ;;
  CapBnd:) bounding=$value ;;
  CapAmb:) ambient=$value ;;
  NoNewPrivs:) privileges=$value ;;
  Seccomp:) filter=$value ;;
  esac
done </proc/self/status
zero=0000000000000000
is capabilities.effective "$effective" $zero
is capabilities.permitted "$permitted" $zero
is capabilities.inheritable "$inheritable" $zero
is capabilities.bounding "$bounding" $zero
is capabilities.ambient "$ambient" $zero
is new-privileges "$privileges" 1
is system-calls "$filter" 2
case "$ids $gids" in *[!0-9]0[!0-9]*|0*|*[!0-9]0) open account.root ;; *) denied account.root ;; esac
if [ "$uid" != - ]; then
  set -f; set -- "$@" -- $ids $gids; set +f
  same=yes; while [ "$1" != -- ]; do set -- "$@" "$1"; shift; done; shift
  for n in 1 2 3 4 5 6 7 8; do [ "$1" = "$uid" ] || same=no; shift; done
  is account.own $same yes
  case $groups in ' '|''|"$uid "|"$uid") denied account.groups ;; *) open account.groups ;; esac
fi

fails namespace.make unshare -U true
fails mount.make mount -t tmpfs none /tmp

extra=none n=3
while [ $n -lt 256 ]; do [ -e /proc/$$/fd/$n ] && extra=$n; n=$((n+1)); done
is descriptors $extra none
is core-files "$(ulimit -c)" 0

text=''; read -r text 2>/dev/null </proc/1/environ
is environment.first "$text" ''
count=0; for each in /proc/[0-9]*; do count=$((count+1)); done
if [ $count -gt 8 ]; then open processes.list; else denied processes.list; fi
if kill -0 "$launcher" 2>/dev/null || [ -e "/proc/$launcher" ]; then open processes.launcher; else denied processes.launcher; fi
read -r pid name state parent group session rest <"/proc/$$/stat"
if [ "$session" = 0 ]; then open session; else denied session; fi
unreadable terminal /dev/tty
name=''; read -r name </proc/sys/kernel/hostname
is host-name "$name" job

unwritable kernel.settings /proc/sys/kernel/core_pattern
unwritable kernel.sysrq /proc/sysrq-trigger
unreadable kernel.memory /proc/kcore
unreadable kernel.log /dev/kmsg
absent kernel.interface /sys/kernel
absent device.memory /dev/mem
absent device.loop /dev/loop-control
absent device.kvm /dev/kvm
absent device.tun /dev/net/tun
absent device.fuse /dev/fuse
disk=none; for each in /dev/*; do [ -b "$each" ] && disk=$each; done
is device.disks $disk none

unwritable files.root /writ-probe
unwritable files.system /usr/writ-probe
unwritable files.settings /etc/writ-probe
unwritable files.passwd /etc/passwd
unwritable files.program /writ/bin/node
unreadable files.shadow /etc/shadow
for each in home root run var sys srv mnt media boot opt etc/ssh; do absent "files.$each" "/$each"; done
left=none; for each in /tmp/* /tmp/.[!.]*; do [ -e "$each" ] && left=$each; done
is files.tmp "$left" none
left=none; for each in /dev/shm/*; do [ -e "$each" ] && left=$each; done
is files.shm "$left" none
seen=no; for each in "$@"; do [ -e "$each" ] && seen=yes; done
is files.agent $seen no

writable=none suid=none
while read -r id parent device root place options rest; do
  case ",$options," in *,nosuid,*) ;; *) suid=$place ;; esac
  case ",$options," in *,ro,*) continue ;; esac
  case $place in /job|/job/*|/tmp|/dev|/dev/*|/proc|/proc/*) ;; *) writable=$place ;; esac
done </proc/self/mountinfo
is mounts.writable $writable none
is mounts.set-user-id $suid none

other=none
while IFS=': ' read -r name rest; do
  case $name in Inter*|face*|lo|'') ;; *) other=$name ;; esac
done </proc/net/dev
is network.interfaces "$other" none
lines=0; while read -r rest; do lines=$((lines+1)); done </proc/net/route
if [ $lines -gt 1 ]; then open network.routes; else denied network.routes; fi
lines=0; while read -r rest; do lines=$((lines+1)); done </proc/net/unix
if [ $lines -gt 1 ]; then open network.local-sockets; else denied network.local-sockets; fi
lines=0; while read -r rest; do lines=$((lines+1)); done </proc/net/tcp
if [ $lines -gt 1 ]; then open network.connections; else denied network.connections; fi
echo end: denied
`;

export function probeRun(
  profile: RunMessage['profile'],
  outside: Outside,
): Omit<RunMessage, 'do' | 'id' | 'slot'> {
  const told = [
    outside.uid === null ? '-' : String(outside.uid),
    String(outside.launcherPid),
    outside.namespaces.join(' '),
  ];
  return {
    set: 0,
    profile,
    argv: ['/bin/sh', '-c', script, 'writ-probe', ...told, ...outside.hidden],
    env: [],
    inputs: [],
    limits: {
      wallMs: 10_000,
      memoryBytes: 67_108_864,
      pids: 32,
      cpuMs: null,
      cpuPercent: null,
      diskBytes: 1_048_576,
      nofile: 256,
      logBytes: 65_536,
      logBytesPerSecond: 65_536,
      graceMs: 0,
    },
    network: false,
    outputs: null,
  };
}

/** Null when the probe did not come to its end: then nothing was measured. */
export function readWalls(text: string): readonly Wall[] | null {
  const walls: Wall[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const [, name, is] = /^([a-z][a-z./-]*): (denied|open)$/.exec(line) ?? [];
    if (name === undefined || (is !== 'denied' && is !== 'open')) return null;
    walls.push({ name, is });
  }
  return walls.pop()?.name === 'end' ? walls : null;
}
