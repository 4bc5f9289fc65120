import Foundation
import Synchronization

/// Headers that are kept while a model is loaded: its configuration, its weights, its tokenizer and what it is able to are
/// read one after the other from the same header, which holds a vocabulary of some hundred thousand strings.
package enum GGUFHeaders {
    private struct State {
        /// Loads that are under way.
        var scopes = 0
        var headers: [[String]: (header: GGUFHeader, stamp: [String])] = [:]
    }

    private static let state = Mutex(State())

    /// Files whose headers are read while `body` runs are read once, as long as they do not change.
    package static func kept<Result>(_ body: () throws -> Result) rethrows -> Result {
        state.withLock { $0.scopes += 1 }
        defer {
            state.withLock { state in
                state.scopes -= 1
                if state.scopes == 0 { state.headers = [:] }
            }
        }
        return try body()
    }

    /// What was read of the files, if they have not changed since.
    static func known(_ paths: [String]) -> GGUFHeader? {
        guard let kept = state.withLock({ $0.headers[paths] }), kept.stamp == stamp(paths) else { return nil }
        return kept.header
    }

    /// - Parameter stamp: of the files before they were read.
    static func keep(_ header: GGUFHeader, _ stamp: [String], of paths: [String]) {
        state.withLock { state in
            if state.scopes > 0, !stamp.isEmpty { state.headers[paths] = (header, stamp) }
        }
    }

    /// What tells a file from another one that is put in its place; empty where that cannot be known.
    static func stamp(_ paths: [String]) -> [String] {
        let isOfUse = state.withLock { $0.scopes > 0 }
        guard isOfUse else { return [] }
        let stamps = paths.compactMap { path -> String? in
            let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            guard let own = try? FileManager.default.attributesOfItem(atPath: real),
                let date = own[.modificationDate] as? Date
            else { return nil }
            return "\(own[.systemFileNumber] ?? 0) \(own[.size] ?? 0) \(date.timeIntervalSince1970)"
        }
        return stamps.count == paths.count ? stamps : []
    }
}
