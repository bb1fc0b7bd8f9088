#!/usr/bin/env bash
# What CI does with the Java client; `mvn` alone does for everything else.
#   toolchain  installs what is missing, or says what is and exits 3
#   gen        nothing: Maven makes the stubs at each build
#   lint       the format; warnings of the compiler are errors wherever it runs
#   test       the client's own tests
#   package    the jar, the jar of sources and the pom, installed into the local repository
#   runner     the runner of the conformance suite; its command is the last line
#   example    streams from the gateway at $INTERLINGUA_ADDRESS
#   consumer   the same by a new project outside of the tree that uses the jar

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"

maven() {
  mvn --quiet --batch-mode --no-transfer-progress -Dstyle.color=never "$@"
}

toolchain() {
  if command -v mvn >/dev/null && javac -version 2>&1 | grep -Eq 'javac (1[7-9]|[2-9][0-9])'; then
    return
  fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
    && apt-get update -qq && apt-get install -y -qq openjdk-17-jdk-headless maven >/dev/null; then
    return
  fi
  echo 'Java: JDK 17 or later and Maven 3.8 or later are missing'
  exit 3
}

# Installs the client unless the very jar of the sources as they are is installed.
package() {
  local jar=target/interlingua-client-0.1.0.jar
  local installed=$HOME/.m2/repository/dev/interlingua/interlingua-client/0.1.0/${jar##*/}
  local sources=(pom.xml src/main ../service_config.json ../../protos)
  if cmp -s "$jar" "$installed" && [ -z "$(find "${sources[@]}" -newer "$jar" -print -quit)" ]; then
    return
  fi
  maven -DskipTests install >&2
}

runner() {
  package
  maven -f conformance compile >&2
  echo "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC" \
    "-cp $here/conformance/target/classes:$(cat conformance/target/classpath)" \
    "dev.interlingua.conformance.Runner"
}

example() {
  package
  maven -f examples/stream compile exec:java
}

# The project has a local repository of its own, which holds the jar; the rest comes from the usual
# one, as from any other repository, or from where Maven gets things.
consumer() {
  package
  local folder usual
  folder=$(mktemp -d)
  trap "rm -rf '$folder'" EXIT
  usual=$(mvn help:evaluate -Dexpression=settings.localRepository -q -DforceStdout)
  maven org.apache.maven.plugins:maven-install-plugin:3.1.4:install-file \
    -Dfile=target/interlingua-client-0.1.0.jar -DpomFile=pom.xml \
    -Dsources=target/interlingua-client-0.1.0-sources.jar -DlocalRepositoryPath="$folder/repository"
  mkdir -p "$folder/src/main/java"
  cp examples/stream/src/main/java/StreamTokens.java "$folder/src/main/java"
  sed "s|  <dependencies>|  <repositories><repository><id>usual</id><url>file://$usual</url></repository></repositories>\n  <pluginRepositories><pluginRepository><id>usual</id><url>file://$usual</url></pluginRepository></pluginRepositories>\n&|" \
    examples/stream/pom.xml >"$folder/pom.xml"
  maven -f "$folder" -Dmaven.repo.local="$folder/repository" compile exec:java
}

case "${1:-}" in
  toolchain | package | runner | example | consumer) "$1" ;;
  gen) ;;
  lint) maven spotless:check ;;
  test) maven test ;;
  *)
    sed -n '2,10s/^# //p' "$0"
    exit 2
    ;;
esac
