import Foundation

/// This program once more. Foundation's `Process` may wait for ever for one that crashes at once.
struct ChildProcess {
    let id: pid_t

    /// - Parameter errors: a file that takes its standard error.
    init(_ arguments: [String], errors: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT, 0o600)
        let words = ["/proc/self/exe"] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var id: pid_t = 0
        guard posix_spawn(&id, words[0], &actions, nil, pointers, environ) == 0 else {
            throw FuzzFinding(description: "a child could not be started")
        }
        self.id = id
    }

    /// As `waitpid` has it; nil while it runs.
    func statusIfEnded() -> Int32? {
        var status: Int32 = 0
        return waitpid(id, &status, WNOHANG) == id ? status : nil
    }

    func wait() {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
    }
}
