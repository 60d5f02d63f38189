"""Makes a folder a container, as an engine would from an image: `tests/package/bundle.py FOLDER < SETTINGS`.

FOLDER has `rootfs`; SETTINGS are JSON: args, env, user, cwd, and the path of a seccomp profile in the form of
Docker's. Like `docker run --cap-drop ALL --security-opt no-new-privileges --shm-size 1g`.
"""

import json
import sys
from pathlib import Path


def oci(profile):
    """A profile of Docker's in the form of the runtime's."""
    names = {"SCMP_ARCH_X86_64": ["SCMP_ARCH_X86_64"], "SCMP_ARCH_AARCH64": ["SCMP_ARCH_AARCH64"]}
    architectures = [name for entry in profile["archMap"] for name in names[entry["architecture"]]]
    keys = ("names", "action", "errnoRet", "args")
    calls = [{key: call[key] for key in keys if key in call} for call in profile["syscalls"]]
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": architectures,
        "syscalls": calls,
    }


def mount(place, kind, source, *options):
    return {"destination": place, "type": kind, "source": source, "options": list(options)}


def config(args, env, user, cwd, seccomp):
    """The runtime's configuration."""
    none = {name: [] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": user, "gid": user},
            "args": args,
            "env": env,
            "cwd": cwd,
            "capabilities": none,
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "ghostcast",
        "mounts": [
            mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "size=64k"),
            mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=1g"),
            mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "seccomp": oci(json.loads(Path(seccomp).read_text())),
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


Path(sys.argv[1], "config.json").write_text(json.dumps(config(**json.load(sys.stdin))))
