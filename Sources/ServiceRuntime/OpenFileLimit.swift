import Foundation

/// How many files, sockets among them, this process may have open.
package enum OpenFileLimit {
    /// nil where there is no limit, or it is not known.
    package static var current: Int? {
        let data = FileManager.default.contents(atPath: "/proc/self/limits") ?? Data()
        for line in String(decoding: data, as: UTF8.self).split(separator: "\n") where line.hasPrefix("Max open files")
        {
            return line.dropFirst("Max open files".count).split(separator: " ").first.flatMap { Int($0) }
        }
        return nil
    }
}
