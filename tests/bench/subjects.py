# SPDX-License-Identifier: Apache-2.0
"""What is measured: each subject gets a token of its own in a scratch folder, and the servers that it needs. Whatever is started here
is stopped when the stack is. No program itself."""
import contextlib
import functools
import glob
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Callable, NamedTuple

SOFTHSM_MODULE = "/usr/lib/softhsm/libsofthsm2.so"
MODULE_FOLDERS = ("/usr/lib/*/pkcs11", "/usr/lib/pkcs11", "/usr/lib64/pkcs11")
OPENCRYPTOKI_DEFAULT_PIN = "87654321"  # the security officer's in every new token; it must be changed
LABEL = "bench"
START_S = 30
STOP_S = 10

# What an agent of ours has besides the defaults, and the memory that its status must then report (None: whatever it says).
OURS = {
    "ours": ("", None),
    "ours-fips": ("[algorithms]\nfips_approved_only = true\n", None),
    "ours-memfd": ('[security]\nlocked_memory = "memfd"\n', "memfd_secret"),
    "ours-mlock": ('[security]\nlocked_memory = "mlock"\n', "mlock"),
}


class Refusal(Exception):
    """What, why and what to do, in one line for the user."""


class Started(NamedTuple):
    command: list
    env: dict
    memory: str = ""


class Subject(NamedTuple):
    label: str
    start: Callable


def need(path, what):
    if not os.path.exists(path):
        raise Refusal(f"{path}: not there; {what}")
    return str(path)


def need_module(name, what):
    for folder in MODULE_FOLDERS:
        for path in glob.glob(os.path.join(folder, name)):
            return path
    raise Refusal(f"{name}: not there; {what}")


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def quiet(command, env=None):
    try:
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        raise Refusal(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise Refusal(f"{command[0]}: status {done.returncode}: {last_line(done.stdout)}")
    return done.stdout


def stop(server):
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_S)


class Bench:
    """The scratch folder, its PINs, and the servers that must be stopped."""

    def __init__(self, build, stack):
        self.build = pathlib.Path(build)
        self.stack = stack
        self.servers = []
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="craton-bench."))
        stack.callback(shutil.rmtree, self.scratch, ignore_errors=True)
        # Eight characters: ours takes no fewer, opencryptoki no more.
        self.pin = secrets.token_hex(4)
        self.so_pin = secrets.token_hex(4)
        write_private(self.scratch / "pin", self.pin + "\n")
        write_private(self.scratch / "so-pin", self.so_pin + "\n")

    def folder(self, name):
        folder = self.scratch / name
        folder.mkdir()
        return folder

    def serve(self, name, command, env, ready):
        """Starts a server, waits until ready(), and returns its pid. It has a process group of its own and dies when we are killed."""
        log_path = self.scratch / f"{name}.log"
        with open(log_path, "wb") as log:
            server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], env=env, start_new_session=True,
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stack.callback(stop, server)
        self.servers.append(server.pid)
        deadline = time.monotonic() + START_S
        while not ready():
            if server.poll() is not None or time.monotonic() > deadline:
                text = log_path.read_text(errors="replace")
                sys.stderr.write(text)
                raise Refusal(f"{name} did not start: {last_line(text)}")
            time.sleep(0.02)
        return server.pid


def pkcs11_command(bench, module):
    return [need(bench.build / "tests/bench/pkcs11_bench", "build it with make"), "--module", module,
            "--token-label", LABEL, "--pin-file", str(bench.scratch / "pin")]


# Ours.

def craton_config(folder, settings):
    """The defaults, audit log included, without a limit on sessions."""
    path = folder / "craton_hsm.toml"
    write_private(path, f"""[token]
storage_path = "{folder}/store"
max_sessions = 0
max_rw_sessions = 0
[agent]
socket = "{folder}/craton.sock"
device_key = "{folder}/device.key"
[audit]
log_path = "{folder}/audit.jsonl"
{settings}""")
    return str(path)


def start_ours(name, bench):
    settings, wanted = OURS[name]
    daemon = need(bench.build / "craton-hsm-daemon", "run make, or leave it out with --only")
    module = need(bench.build / "libcraton_hsm.so", "run make")
    folder = bench.folder(name)
    socket = str(folder / "craton.sock")
    admin = [str(bench.build / "craton-hsm-admin"), "--socket", socket]

    def answers():
        return not subprocess.run([*admin, "status"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    bench.serve(name, [daemon, craton_config(folder, settings)], None, answers)
    quiet([*admin, "token", "init", "--label", LABEL, "--so-pin-file", str(bench.scratch / "so-pin"),
           "--user-pin-file", str(bench.scratch / "pin")])
    memory = json.loads(quiet([*admin, "status", "--json"]))["memory"]["backend"]
    if wanted and memory != wanted:
        raise Refusal(f"its memory is {memory}, not {wanted}")
    return Started(pkcs11_command(bench, module), dict(os.environ, CRATON_HSM_SOCKET=socket), memory)


# Others'.

def softhsm_token(bench, name):
    """An initialised SoftHSM2 token. Its tool takes PINs from argv only: these are random and die with the token."""
    folder = bench.folder(name)
    (folder / "tokens").mkdir()
    write_private(folder / "softhsm2.conf",
                  f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    env = dict(os.environ, SOFTHSM2_CONF=str(folder / "softhsm2.conf"))
    need(SOFTHSM_MODULE, "install softhsm2, or leave it out with --only")
    quiet(["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", bench.so_pin, "--pin", bench.pin], env)
    return env


def start_softhsm(bench):
    return Started(pkcs11_command(bench, SOFTHSM_MODULE), softhsm_token(bench, "softhsm"))


def start_p11kit(bench):
    client = need_module("p11-kit-client.so", "install p11-kit-modules, or leave it out with --only")
    env = softhsm_token(bench, "p11kit")
    address = bench.scratch / "p11kit.sock"
    command = ["p11-kit", "server", "--foreground", "--name", str(address), "--provider", SOFTHSM_MODULE,
               f"pkcs11:token={LABEL}"]
    bench.serve("p11-kit-server", command, env, address.exists)
    return Started(pkcs11_command(bench, client), dict(os.environ, P11_KIT_SERVER_ADDRESS=f"unix:path={address}"))


def start_opencryptoki(bench):
    """Its software token. Daemon and clients share namespaces in which scratch folders stand for the machine's own installation."""
    module = need_module("PKCS11_API.so", "install opencryptoki, or leave it out with --only")
    need("/usr/sbin/pkcsslotd", "install opencryptoki, or leave it out with --only")
    if os.geteuid():
        raise Refusal("needs root, for a mount namespace of its own")
    folder = bench.folder("opencryptoki")
    daemon = bench.serve("pkcsslotd", [str(pathlib.Path(__file__).with_name("opencryptoki")), str(folder)], None,
                         (folder / "run/pkcsslotd.socket").exists)
    inside = ["nsenter", "--mount", "--ipc", "--target", str(daemon)]
    env = dict(os.environ, DEFAULT_PIN=OPENCRYPTOKI_DEFAULT_PIN, SO_PIN=bench.so_pin, FIRST_PIN=secrets.token_hex(4), PIN=bench.pin)
    for words in ("--init-token --label bench --so-pin env:DEFAULT_PIN",
                  "--login --login-type so --so-pin env:DEFAULT_PIN --change-pin --new-pin env:SO_PIN",
                  "--login --login-type so --so-pin env:SO_PIN --init-pin --new-pin env:FIRST_PIN",
                  "--login --pin env:FIRST_PIN --change-pin --new-pin env:PIN"):
        quiet([*inside, "pkcs11-tool", "--module", module, "--slot", "0", *words.split()], env)
    return Started([*inside, *pkcs11_command(bench, module)], dict(os.environ))


def start_program(name, bench):
    return Started([need(bench.build / "tests/bench" / name, "build it with make")], dict(os.environ))


SUBJECTS = {
    "ours": Subject("Craton HSM", functools.partial(start_ours, "ours")),
    "ours-fips": Subject("Craton HSM, FIPS policy", functools.partial(start_ours, "ours-fips")),
    "ours-memfd": Subject("Craton HSM, memfd_secret", functools.partial(start_ours, "ours-memfd")),
    "ours-mlock": Subject("Craton HSM, mlock", functools.partial(start_ours, "ours-mlock")),
    "softhsm": Subject("SoftHSM2 in process", start_softhsm),
    "p11kit": Subject("SoftHSM2 by p11-kit", start_p11kit),
    "opencryptoki": Subject("opencryptoki", start_opencryptoki),
    "handover": Subject("Bare hand-over", functools.partial(start_program, "handover_bench")),
    "openssl": Subject("OpenSSL alone", functools.partial(start_program, "openssl_bench")),
}


def start_all(bench, names):
    """What could be started, and why the others could not: they are missing in the report, and the run goes on."""
    started, missing = {}, {}
    for name in names:
        try:
            started[name] = SUBJECTS[name].start(bench)
        except Refusal as refusal:
            missing[name] = str(refusal)
            print(f"tests/bench/run: {name} IS NOT MEASURED: {refusal}", file=sys.stderr)
    if not started:
        raise Refusal("nothing could be started")
    return started, missing
