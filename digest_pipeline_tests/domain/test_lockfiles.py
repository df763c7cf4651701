from __future__ import annotations

import time
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.lockfiles import version_changes

CARGO = '''\
@@ -12,9 +12,9 @@ dependencies = [

 [[package]]
 name = "serde"
-version = "1.0.1"
+version = "1.0.2"
 source = "registry+https://registry.example/index"
-checksum = "0f0e"
+checksum = "1f1e"
 dependencies = [
  "serde_derive",
 ]
@@ -40,11 +40,0 @@ dependencies = [
-[[package]]
-name = "rand"
-version = "0.8.5"
-source = "registry+https://registry.example/index"
-
@@ -90,2 +79,9 @@ dependencies = [
+[[package]]
+name = "tokio"
+version = "1.40.0"
+dependencies = [
+ "bytes",
+]
+
 [[package]]
 name = "toml"
 version = "0.8.0"'''

CARGO_HEADING = '''\
@@ -102 +102 @@ name = "bytes"
-version = "1.6.0"
+version = "1.7.1"'''

CARGO_SHIFTED = '''\
@@ -5,3 +5,7 @@
 name = "a"
+version = "1.0.0"
+
+[[package]]
+name = "b"
 version = "2.0.0"'''

POETRY = '''\
@@ -200,10 +200,10 @@ files = [
 [[package]]
 name = "pydantic"
-version = "2.10.0"
+version = "2.11.3"
 description = "Data validation using Python type hints"
 optional = false
@@ -230,4 +230,4 @@ files = [
 [package.dependencies]
-version = "1"
+version = "2"'''

UV = """\
@@ -1,6 +1,6 @@
 [[package]]
 name = "httpx"
-version = "0.27.2"
+version = "0.28.1"
 source = { registry = "https://registry.example/simple" }
 dependencies = [
     { name = "anyio" },
-    { name = "sniffio", version = "1.3.0", marker = "x" },
 ]"""

NPM = """\
@@ -10,7 +10,7 @@
   "packages": {
     "": {
       "name": "web",
-      "version": "0.1.0",
+      "version": "0.2.0",
@@ -50,11 +50,12 @@
     "node_modules/@babel/core": {
-      "version": "7.24.0",
-      "resolved": "https://registry.example/@babel/core/-/core-7.24.0.tgz",
+      "version": "7.25.2",
+      "resolved": "https://registry.example/@babel/core/-/core-7.25.2.tgz",
       "dependencies": {
         "debug": "^4.1.0"
       }
     },
+    "node_modules/a/node_modules/ms": {
+      "version": "2.1.3",
+      "license": "MIT"
+    },"""

NPM_V1 = """\
@@ -5,7 +5,3 @@
   "dependencies": {
-    "left-pad": {
-      "version": "1.3.0",
-      "resolved": "https://registry.example/left-pad/-/left-pad-1.3.0.tgz"
-    },
     "ms": {
       "version": "2.0.0","""

PNPM_9 = """\
@@ -300,9 +300,9 @@ packages:
-  '@types/node@20.1.0':
-    resolution: {integrity: sha512-aaa==}
+  '@types/node@22.5.4':
+    resolution: {integrity: sha512-bbb==}

   react@18.3.1:
     resolution: {integrity: sha512-ccc==}
@@ -900,4 +900,4 @@ snapshots:
-  vite@5.4.1(@types/node@20.1.0):
+  vite@5.4.1(@types/node@22.5.4):
     dependencies:
       esbuild: 0.21.5"""

PNPM_5 = """\
@@ -30,5 +30,5 @@ packages:
-  /@vue/shared/3.2.0:
+  /@vue/shared/3.2.1:
     resolution: {integrity: sha512-aaa==}
-  /vuex/4.0.2_vue@3.2.0:
+  /vuex/4.1.0_vue@3.2.1:
     resolution: {integrity: sha512-ccc==}"""

YARN = '''\
@@ -10,6 +10,6 @@

 "@babel/core@^7.0.0", "@babel/core@^7.1.0":
-  version "7.2.3"
-  resolved "https://registry.example/@babel/core/-/core-7.2.3.tgz#aaa"
+  version "7.4.0"
+  resolved "https://registry.example/@babel/core/-/core-7.4.0.tgz#bbb"
@@ -30,5 +30,0 @@ lodash@^4.17.0:
-left-pad@^1.3.0:
-  version "1.3.0"
-  resolved "https://registry.example/left-pad/-/left-pad-1.3.0.tgz#ccc"'''

YARN_BERRY = '''\
@@ -3,3 +3,3 @@
 __metadata:
-  version: 6
+  version: 8
@@ -12,4 +12,4 @@ __metadata:
-"typescript@npm:^5.4.0":
-  version: 5.4.5
-  resolution: "typescript@npm:5.4.5"
+"typescript@npm:^5.5.0":
+  version: 5.5.4
+  resolution: "typescript@npm:5.5.4"'''

GO_SUM = """\
@@ -7,6 +7,7 @@ github.com/a/b v1.0.0/go.mod h1:xxx=
-golang.org/x/net v0.23.0 h1:aaa=
-golang.org/x/net v0.23.0/go.mod h1:bbb=
+golang.org/x/net v0.28.0 h1:ccc=
+golang.org/x/net v0.28.0/go.mod h1:ddd=
 golang.org/x/sys v0.1.0/go.mod h1:eee=
+golang.org/x/sys v0.24.0/go.mod h1:fff=
+gopkg.in/yaml.v3 v3.0.1 h1:ggg="""

PINS = """\
@@ -1,9 +1,9 @@
-Django==4.2.11 \\
-    --hash=sha256:aaa
+django==5.1 \\
+    --hash=sha256:bbb
     # via -r requirements.in
-uvicorn[standard]==0.29.0
+uvicorn[standard] == 0.30.6 ; python_version >= "3.8"
+rich==13.7.1
-numpy>=1.26"""


@pytest.mark.parametrize(
    ("path", "patch", "changes"),
    [
        ("Cargo.lock", CARGO, ["serde 1.0.1 -> 1.0.2", "- rand 0.8.5", "+ tokio 1.40.0"]),
        ("lib/Cargo.lock", CARGO_HEADING, ["bytes 1.6.0 -> 1.7.1"]),
        ("Cargo.lock", CARGO_SHIFTED, ["a 2.0.0 -> 1.0.0", "+ b 2.0.0"]),
        ("poetry.lock", POETRY, ["pydantic 2.10.0 -> 2.11.3"]),
        ("uv.lock", UV, ["httpx 0.27.2 -> 0.28.1"]),
        ("pdm.lock", UV, ["httpx 0.27.2 -> 0.28.1"]),
        ("web/package-lock.json", NPM, ["@babel/core 7.24.0 -> 7.25.2", "+ ms 2.1.3"]),
        ("npm-shrinkwrap.json", NPM_V1, ["- left-pad 1.3.0"]),
        ("pnpm-lock.yaml", PNPM_9, ["@types/node 20.1.0 -> 22.5.4"]),
        ("pnpm-lock.yaml", PNPM_5, ["@vue/shared 3.2.0 -> 3.2.1", "vuex 4.0.2 -> 4.1.0"]),
        ("yarn.lock", YARN, ["@babel/core 7.2.3 -> 7.4.0", "- left-pad 1.3.0"]),
        ("yarn.lock", YARN_BERRY, ["typescript 5.4.5 -> 5.5.4"]),
        ("go.sum", GO_SUM, ["golang.org/x/net v0.23.0 -> v0.28.0", "+ gopkg.in/yaml.v3 v3.0.1"]),
        ("requirements.lock", PINS, ["django 4.2.11 -> 5.1", "uvicorn 0.29.0 -> 0.30.6", "+ rich 13.7.1"]),
        ("requirements-dev.txt", PINS, ["django 4.2.11 -> 5.1", "uvicorn 0.29.0 -> 0.30.6", "+ rich 13.7.1"]),
    ],
)
def test_the_changes_of_versions_are_read_from_a_lock_of_each_kind(
    path: str, patch: str, changes: list[str]
) -> None:
    assert version_changes(path, patch) == changes


def test_a_new_lock_is_a_list_of_what_came() -> None:
    patch = dedent(
        """\
        @@ -0,0 +1,5 @@
        +version = 4
        +
        +[[package]]
        +name = "a"
        +version = "1.0.0"
        """
    )

    assert version_changes("Cargo.lock", patch) == ["+ a 1.0.0"]


def test_a_package_may_have_several_versions() -> None:
    def pins(sign: str, versions: list[str]) -> str:
        return "".join(f'\n{sign}[[package]]\n{sign}name = "a"\n{sign}version = "{one}"' for one in versions)

    assert version_changes("Cargo.lock", "@@ -1 +1 @@" + pins("-", ["1", "2"]) + pins("+", ["2", "3"])) == [
        "a 1 -> 3"
    ]
    assert version_changes("Cargo.lock", "@@ -1 +1 @@" + pins("-", ["1", "2"]) + pins("+", ["3"])) == [
        "a 1, 2 -> 3"
    ]
    many = version_changes("Cargo.lock", "@@ -1 +1 @@" + pins("-", ["0"]) + pins("+", list("12345")))
    assert many == ["- a 0", *(f"+ a {number}" for number in "12345")]


@pytest.mark.parametrize(
    ("path", "patch"),
    [
        ("flake.lock", CARGO),
        ("src/main.rs", CARGO),
        ("Cargo.lock", ""),
        ("Cargo.lock", '@@ -1 +1 @@\n name = "a"\n version = "1"\n-checksum = "0"\n+checksum = "1"'),
        ("go.sum", "@@ -1 +1 @@\n-a.b/c v1.0.0 h1:aaa=\n+a.b/c v1.0.0 h1:bbb="),
        ("Cargo.lock", '@@ -1 +1 @@\n+name = "a\x1b[31m"\n+version = "1\u2028"'),
    ],
)
def test_where_nothing_is_read_there_is_no_list(path: str, patch: str) -> None:
    assert version_changes(path, patch) is None


PATHS = ["Cargo.lock", "package-lock.json", "pnpm-lock.yaml", "yarn.lock", "go.sum", "requirements.lock"]


@given(st.sampled_from(PATHS), st.text(st.characters(), max_size=300))
def test_no_text_raises(path: str, text: str) -> None:
    changes = version_changes(path, text)

    assert changes is None or all(line.isprintable() for line in changes)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "unit",
    [
        '+name = "a"\n+version = "{}"\n',
        '+    "node_modules/a": {\n+      "version": "1"\n',
        "+  'a@1':\n",
        '+a@1:\n+  version "{}"\n',
        "+a.b/c v{} h1:x=\n",
        "+a=={}\n",
        "+" + " " * 1500 + '"\n',
        "+" + "a/" * 900 + "\n",
        "+" + "@" * 1900 + "\n",
        '@@ -1 +1 @@ name = "a"\n',
    ],
)
def test_time_grows_with_the_text_alone(path: str, unit: str) -> None:
    patch = "".join(unit.replace("{}", str(number)) for number in range(2_000_000 // len(unit)))
    started = time.process_time()
    version_changes(path, patch)

    assert time.process_time() - started < 10
