"""A real WordPress for the tests: Debian's, on a MariaDB of its own, served by PHP itself."""

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.ports import free_port

PACKAGES = "wordpress wordpress-theme-twentytwentyone mariadb-server-core php-cli php-mysql php-xml"
"""What has to be installed, in Debian's names."""

ADMIN = "editor-in-chief"
PASSWORD = "test-wordpress-password"

_SOURCE = Path("/usr/share/wordpress")
_PROGRAMS = ("php", "mariadbd", "mariadb-install-db")
# Debian's programs for administrators are not on everybody's PATH.
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

_CONFIG = """<?php
define( 'DB_NAME', 'test' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:{socket}' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'AUTH_KEY', 'for tests' );
define( 'WP_HOME', '{url}' );
define( 'WP_SITEURL', '{url}' );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'DISABLE_WP_CRON', true );
define( 'WP_DEBUG', true );
define( 'WP_DEBUG_DISPLAY', false );
define( 'WP_DEBUG_LOG', '{log}' );
{constants}
$table_prefix = 'wp_';
defined( 'ABSPATH' ) || define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
"""

_CONSTANTS = "/* Constants of the tests. */"

# Nothing in these pages may come from another host, mails are kept, and readers are in a hurry.
_FOR_TESTS = r"""<?php
add_filter( 'pre_option_show_avatars', '__return_zero' );
add_filter( 'pre_wp_mail', function ( $nothing, $mail ) {
    return update_option( 'mails', [ ...get_option( 'mails', [] ), $mail['subject'] ] );
}, 10, 2 );
add_filter( 'comment_flood_filter', '__return_false', 100 );
remove_action( 'wp_head', 'print_emoji_detection_script', 7 );
remove_action( 'admin_print_scripts', 'print_emoji_detection_script' );
if ( hash_equals( 'TOKEN', $_POST['for_tests'] ?? '' ) ) {
    add_action( 'wp_loaded', function () {
        $posted = wp_unslash( $_POST );
        $run = eval( "return function ( \$given ) { {$posted['code']} };" );
        wp_send_json( $run( json_decode( $posted['given'], true ) ) );
    } );
}
"""

_INSTALL = """
define( 'WP_INSTALLING', true );
require '{root}/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'The Courier', '{admin}', 'admin@example.org', true, '', '{password}' );
"""


def missing() -> list[str]:
    """What a WordPress needs and this machine does not have."""
    lacking = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    return lacking if (_SOURCE / "wp-load.php").exists() else [*lacking, "wordpress"]


@dataclass
class WordPress:
    """A blog with one post, which everybody may comment on."""

    url: str
    root: Path
    log: Path
    token: str = field(default_factory=secrets.token_hex)
    """Whoever has it may have the blog run any code."""

    def php(self, code: str, *arguments: Any) -> Any:
        """What PHP code returns that is run inside WordPress and finds the arguments in `$given`;
        all as JSON."""
        body = urlencode({"for_tests": self.token, "code": code, "given": json.dumps(arguments)})
        with urllib.request.urlopen(self.url, body.encode(), timeout=60) as answer:
            return json.loads(answer.read())

    def define(self, name: str, value: str) -> None:
        """Have a constant in its `wp-config.php`, in the place of one of this name."""
        config = self.root / "wp-config.php"
        others = re.sub(rf"define\( '{name}', .*\);\n", "", config.read_text())
        line = f"define( '{name}', '{value}' );"
        config.write_text(others.replace(_CONSTANTS, f"{line}\n{_CONSTANTS}"))

    def replace_must_use(self, *plugins: Path) -> None:
        """Have these must-use plugins and no others, besides that of the tests."""
        folder = self.root / "wp-content" / "mu-plugins"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "for-tests.php").write_text(_FOR_TESTS.replace("TOKEN", self.token))
        for plugin in plugins:
            shutil.copy(plugin, folder)

    def complaints_of(self, plugin: Path) -> list[str]:
        """Notices, warnings and errors about a plugin in PHP's log."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if f"mu-plugins/{plugin.name}" in line]


@contextmanager
def running_wordpress() -> Iterator[WordPress]:
    """A WordPress that lives for the block, in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="moderation-wordpress-"))
    try:
        with _running_mariadb(folder) as socket:
            wordpress = _prepared(folder, socket)
            _install(wordpress)
            with _served(wordpress):
                yield wordpress
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(folder: Path, socket: Path) -> WordPress:
    """The files of a WordPress that has not been installed yet."""
    url = f"http://127.0.0.1:{free_port()}"
    wordpress = WordPress(url, folder / "wordpress", folder / "php.log")
    # A copy: WordPress looks for its configuration where its own files really are.
    shutil.copytree(_SOURCE, wordpress.root)
    # Which the browser asks for, and complains of.
    (wordpress.root / "favicon.ico").touch()
    config = _CONFIG.format(socket=socket, url=url, log=wordpress.log, constants=_CONSTANTS)
    (wordpress.root / "wp-config.php").write_text(config)
    wordpress.replace_must_use()
    return wordpress


@contextmanager
def _running_mariadb(folder: Path) -> Iterator[Path]:
    """The socket of an empty database named `test`, which its user root needs no password for."""
    socket, data = folder / "mariadb.sock", folder / "mariadb"
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        [
            _program("mariadb-install-db"),
            *("--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"),
            *user,
        ],
        check=True,
        capture_output=True,
    )
    with (folder / "mariadb.log").open("wb") as log:
        server = subprocess.Popen(
            [
                _program("mariadbd"),
                *("--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking"),
                f"--pid-file={folder / 'mariadb.pid'}",
                # What the tests write need not outlive the machine's power.
                *("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"),
                *user,
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(socket.exists, server, folder / "mariadb.log")
        yield socket
    finally:
        server.kill()
        server.wait(30)


@contextmanager
def _served(wordpress: WordPress) -> Iterator[None]:
    address = wordpress.url.removeprefix("http://")
    log = wordpress.root.parent / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*_PHP, "-S", address, "-t", wordpress.root],
            # Its pages call each other, and the service calls back while one waits for it.
            env=os.environ | {"PHP_CLI_SERVER_WORKERS": "4"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(lambda: _answers(wordpress.url), server, log)
        yield
    finally:
        # Its workers are its children, and do not end with it.
        os.killpg(server.pid, 9)
        server.wait(30)


_PHP = (
    *("php", "-d", "display_errors=stderr"),
    # A changed file is seen at once.
    *("-d", "opcache.revalidate_freq=0"),
)


def _install(wordpress: WordPress) -> None:
    script = _INSTALL.format(root=wordpress.root, admin=ADMIN, password=PASSWORD)
    done = subprocess.run([*_PHP, "-r", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None, f"there is no {name}"
    return found


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=20).close()
    except urllib.error.URLError:
        return False
    return True


def _wait_for(condition: Callable[[], bool], server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert server.poll() is None, f"it did not start: {log.read_text()}"
        assert time.monotonic() < deadline, f"it does not answer: {log.read_text()}"
        time.sleep(0.05)
