// The recipes of docs/sandboxes.md as they stand there.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "sandboxed.hpp"

namespace fairlead::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string text_of_file(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

std::string recipe(const std::string& name) {
  const std::string page = text_of_file(fs::path(FAIRLEAD_SOURCE_DIR) / "docs" / "sandboxes.md");
  const std::string head = "<!-- recipe: " + name + " -->\n```sh\n";
  const std::size_t start = page.find(head);
  EXPECT_NE(start, std::string::npos) << name;
  if (start == std::string::npos) return "exit 99";
  return page.substr(start + head.size(),
                     page.find("```", start + head.size()) - start - head.size());
}

// Lets us mint and publish, and takes visitors of our uid and of nobody's.
std::string policy() {
  const std::string uid = std::to_string(::geteuid());
  const std::string rights = "publish = [\"*\"]\nsubscribe = [\"*\"]\nadmission = \"all\"\n";
  return "[[principal]]\nname = \"visitor\"\nminted = true\nuid = [" + uid + ", 65534]\n" + rights +
         "[[principal]]\nname = \"host\"\nuid = " + uid + "\n" + rights +
         "[[minter]]\nuid = " + uid + "\nnames = [\"visitor\"]\n";
}

bool works(const std::string& command) { return run_to_end({"/bin/sh", "-c", command}).code == 0; }

class Recipe : public testing::Test {
 protected:
  void SetUp() override {
    if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "a sanitizer's run time makes calls of its own";
  }

  // Whoever it is in the sandbox subscribes behind an enforced boundary and takes a message.
  void expect_to_work(const std::string& script, std::vector<std::string> environment = {}) {
    environment.push_back("socket=" + broker_.socket());
    environment.push_back("bin=" + fs::path(FAIRLEAD_PROGRAM).parent_path().string());
    // The socket's folder is ours alone otherwise.
    fs::permissions(fs::path(broker_.socket()).parent_path(), fs::perms(0755));
    Program guest({"/bin/sh", "-c", script}, {.environment = environment});
    ASSERT_TRUE(guest.wait_for_error("boundary enforced")) << guest.error() << guest.output();
    const Ended pub = run_to_end(
        fairlead({"pub", "chat.x", "--socket", broker_.socket(), "--principal", "host"}), "hello");
    EXPECT_THAT(pub.error, HasSubstr("1 delivery: taken 1")) << pub.error;
    EXPECT_EQ(guest.exit_code(), 0) << guest.error();
    EXPECT_EQ(guest.output(), "chat.x host hello\n");
  }

  BrokerProcess broker_{policy()};
  ScratchDirectory scratch_;
};

class RecipeWithBubblewrap : public Recipe {
 protected:
  void SetUp() override {
    Recipe::SetUp();
    if (!works("bwrap --unshare-all --ro-bind / / true")) {
      GTEST_SKIP() << "bubblewrap is not there or cannot make namespaces here";
    }
  }
};

TEST_F(RecipeWithBubblewrap, fairlead_run_sandbox) { expect_to_work(recipe("run")); }
TEST_F(RecipeWithBubblewrap, with_an_inherited_connection) { expect_to_work(recipe("inherited")); }
TEST_F(RecipeWithBubblewrap, with_the_socket_bound_in) { expect_to_work(recipe("socket")); }

// Whatever versions of cgroups this machine mounts.
const std::string kOneCgroupVersion =
    "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && ";

// A bundle with our paths in it.
void make_bundle(const ScratchDirectory& scratch, const std::string& socket) {
  std::string config = text_of_file(FAIRLEAD_SOURCE_DIR "/docs/examples/sandboxes/config.json");
  replace_all(config, "\"source\": \"/usr/local/bin\"",
              "\"source\": \"" + fs::path(FAIRLEAD_PROGRAM).parent_path().string() + '"');
  const fs::path path(socket);
  replace_all(config, "\"source\": \"/run/fairlead\"",
              "\"source\": \"" + path.parent_path().string() + '"');
  replace_all(config, "main.sock", path.filename().string());
  scratch.write("config.json", config);
  fs::create_directory(scratch.path_of("rootfs"));
  for (const std::string folder : {"bin", "sbin", "lib", "lib64"}) {
    fs::create_symlink("usr/" + folder, scratch.path_of("rootfs/" + folder));
  }
  fs::permissions(scratch.path(), fs::perms(0755));
}

TEST_F(Recipe, oci_bundle) {
  if (!works("command -v crun")) GTEST_SKIP() << "there is no crun";
  if (::geteuid() != 0) GTEST_SKIP() << "the bundle makes no user namespace, so it needs root";
  make_bundle(scratch_, broker_.socket());
  if (!works("unshare -m sh -c '" + kOneCgroupVersion + "true'")) {
    GTEST_SKIP() << "no mount namespace with cgroup 2 here";
  }
  expect_to_work("exec unshare -m sh -c '" + kOneCgroupVersion + recipe("oci") + "'",
                 {"bundle=" + scratch_.path()});
}

TEST_F(Recipe, container) {
  if (!works("command -v podman")) GTEST_SKIP() << "there is no podman";
  if (::geteuid() != 0) GTEST_SKIP() << "the test's mount namespace needs root";
  make_bundle(scratch_, broker_.socket());
  if (!works("unshare -m sh -c '" + kOneCgroupVersion + "podman info'")) {
    GTEST_SKIP() << "podman does not work on this machine";
  }
  std::string script = recipe("container");
  replace_all(script, "'chat.*'", "\"chat.*\"");
  // Limits of devices need a privilege that this machine may lack.
  replace_all(script, "podman run", "podman run --cgroups=disabled");
  expect_to_work("exec unshare -m sh -c '" + kOneCgroupVersion + script + "'",
                 {"rootfs=" + scratch_.path_of("rootfs")});
}

std::string unit() {
  std::string text =
      text_of_file(FAIRLEAD_SOURCE_DIR "/tools/systemd/fairlead-guest.service.example");
  replace_all(text, "/usr/local/bin/fairlead", FAIRLEAD_PROGRAM);
  return text;
}

TEST(RecipeForSystemd, unit_is_well_formed) {
  if (!works("command -v systemd-analyze")) GTEST_SKIP() << "there is no systemd-analyze";
  const ScratchDirectory scratch;
  // Without the man page and the broker's unit, which need not be installed here.
  std::string text = unit();
  replace_all(text, "Documentation=", "#");
  const Ended ended = run_to_end({"/bin/sh", "-c",
                                  "systemd-analyze verify --man=no " +
                                      scratch.write("fairlead-guest.service", text) + " 2>&1"});
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_EQ(ended.output, "");
}

// The unit's settings, with the streams of the service for ours.
TEST_F(Recipe, systemd_unit) {
  if (!fs::exists("/run/systemd/system") || ::geteuid() != 0) {
    GTEST_SKIP() << "systemd does not run here, or we are not root";
  }
  std::string settings;
  std::istringstream lines(unit());
  bool service = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("[")) service = line == "[Service]";
    const bool setting = service && line.find('=') != std::string::npos && line[0] != '#';
    // A user that the policy can name beforehand, and the folder of the test's socket.
    const bool ours = line.starts_with("ExecStart") || line.starts_with("Group") ||
                      line.starts_with("PrivateTmp");
    if (setting && !ours) settings += " -p '" + line + "'";
  }
  expect_to_work("systemd-run --quiet --wait --pipe -p User=nobody" + settings +
                 " \"$bin/fairlead\" sub 'chat.*' --socket \"$socket\" --count 1");
}

}  // namespace
}  // namespace fairlead::test
