"""A throw-away Debian 12 in a directory: made once, kept as an archive, unpacked for each run."""

import hashlib
import os
import pathlib
import shutil
import stat
import subprocess

# Devices and /proc are mounted in a name space of their own and go with the process.
ENTER = """
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
"""

# What changes by itself, or belongs to the package manager.
OTHERS = {
    "dev", "proc", "sys", "run", "tmp", "var/log", "var/cache", "var/lib/apt", "var/lib/dpkg", "debs",
    "etc/ld.so.cache", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock",
}


def sources():
    """This machine's own Debian, as lines of a sources.list."""
    rows = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(SUITE) $(COMPONENT)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\n")
    lines = set()
    for row in rows:
        words = row.split()
        if len(words) == 4 and words[1].startswith("bookworm"):
            lines.add((words[0], words[1], words[3]))
    assert lines, "apt knows no source for bookworm: apt-get update"
    return sorted(lines)


def make(archive):
    """A bare system (debootstrap, minbase) as an archive."""
    tree = archive.with_suffix(".new")
    shutil.rmtree(tree, ignore_errors=True)
    main = next(uri for uri, suite, part in sources() if suite == "bookworm" and part == "main")
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(tree), main], check=True)
    lines = [f"deb {uri} {suite} {part}\n" for uri, suite, part in sources()]
    (tree / "etc/apt/sources.list").write_text("".join(lines))
    ours = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    keep = [line for line in ours.splitlines() if line.startswith(("Acquire::http", "Acquire::Check"))]
    (tree / "etc/apt/apt.conf.d/50tests").write_text("\n".join(keep) + "\n")
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    Root(tree).run("apt-get", "-q", "update")
    subprocess.run(["tar", "-C", tree, "-cf", f"{archive}.part", "."], check=True)
    os.rename(f"{archive}.part", archive)
    shutil.rmtree(tree)


class Root:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    @classmethod
    def fresh(cls, directory):
        archive = directory / "bare.tar"
        if not archive.exists():
            make(archive)
        tree = directory / "root"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        subprocess.run(["tar", "-C", tree, "-xf", archive], check=True)
        # what was fetched once is not fetched again
        cache = directory / "archives"
        (cache / "partial").mkdir(parents=True, exist_ok=True)
        root = cls(tree)
        root.cache = cache
        return root

    def __truediv__(self, path):
        return self.path / str(path).lstrip("/")

    def argv(self, *argv):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ENTER, str(self.path), *map(str, argv)]

    def run(self, *argv, check=True):
        done = subprocess.run(self.argv(*argv), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *argv, log):
        with open(log, "w") as out:
            return subprocess.Popen(self.argv(*argv), stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def apt(self, *argv):
        """apt-get, with what it fetched kept outside."""
        inside = self / "var/cache/apt/archives"
        for deb in self.cache.glob("*.deb"):
            if not (inside / deb.name).exists():
                shutil.copy(deb, inside)
        done = self.run("apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", *argv)
        for deb in inside.glob("*.deb"):
            if not (self.cache / deb.name).exists():
                shutil.copy(deb, self.cache)
        return done

    def files(self):
        """Every file: path -> what it is like."""
        found = {}
        for top, dirs, names in os.walk(self.path):
            here = os.path.relpath(top, self.path)
            here = "" if here == "." else here + "/"
            dirs[:] = [name for name in dirs if here + name not in OTHERS]
            for name in dirs + names:
                if here + name in OTHERS:
                    continue
                path = os.path.join(top, name)
                info = os.lstat(path)
                like = [stat.filemode(info.st_mode), info.st_uid, info.st_gid]
                if stat.S_ISLNK(info.st_mode):
                    like.append(os.readlink(path))
                elif stat.S_ISREG(info.st_mode):
                    with open(path, "rb") as file:
                        like.append(hashlib.sha256(file.read()).hexdigest())
                found[here + name] = like
        return found
