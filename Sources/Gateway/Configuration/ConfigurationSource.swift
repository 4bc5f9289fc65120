package import Foundation
import Logging
import Synchronization

/// A configuration that is read from files.
package protocol FileConfiguration: Sendable {
    /// All that it was read from.
    var files: [String] { get }
    /// What is in it, in a few words for the log.
    var summary: String { get }
    /// What time has made wrong with it; nil where nothing is.
    func fault(at now: Date) -> String?
    /// What time is about to make wrong with it.
    func warning(at now: Date) -> String?
}

extension FileConfiguration {
    package func fault(at now: Date) -> String? { nil }
    package func warning(at now: Date) -> String? { nil }
}

/// The configuration in force, and the files behind it, which are read again when they change.
package final class ConfigurationSource<Value: FileConfiguration>: Sendable {
    private struct State {
        var value: Value
        /// What is put into whatever is read.
        var amendment: @Sendable (Value) -> Value = { $0 }
        /// What is in force.
        var amended: Value
        /// The state of each file that was read.
        var stamps: [String: FileStamp]
        var fault: String?
    }

    private let name: String
    /// nil where there is no file.
    private let read: (@Sendable () throws -> Value)?
    private let state: Mutex<State>
    private let logger = Logger(label: "nephele-gateway")

    /// - Parameters:
    ///   - name: what the log calls it.
    ///   - value: to begin with.
    ///   - read: reads it again; nil where there is no file.
    init(_ name: String, _ value: Value, read: (@Sendable () throws -> Value)?) {
        (self.name, self.read) = (name, read)
        state = Mutex(State(value: value, amended: value, stamps: Self.stamps(of: value)))
    }

    package var current: Value { state.withLock { $0.amended } }

    /// Puts something into the files' value, and into what is read of them later.
    func amend(_ amendment: @escaping @Sendable (Value) -> Value) {
        state.withLock { state in
            state.amendment = amendment
            state.amended = amendment(state.value)
        }
    }

    /// What is wrong with the files since they were last read well, or with what is in force by now, if anything.
    package var fault: String? {
        let (fault, value) = state.withLock { ($0.fault, $0.value) }
        return fault ?? value.fault(at: Date())
    }

    /// Looks every second whether a file has changed, until it is cancelled.
    package func watch() async {
        guard read != nil else { return }
        var told: (fault: String?, warning: String?) = (nil, nil)
        while !Task.isCancelled {
            // Each thing once, and again where it changes.
            let current = current
            let (fault, warning) = (current.fault(at: Date()), current.warning(at: Date()))
            if let fault, fault != told.fault { logger.error("\(name): \(fault)") }
            if let warning, warning != told.warning { logger.warning("\(name): \(warning)") }
            told = (fault, warning)
            try? await Task.sleep(for: .seconds(1))
            let (value, stamps) = state.withLock { ($0.value, $0.stamps) }
            if Self.stamps(of: value) != stamps { reload() }
        }
    }

    /// Reads the files again. An error in them changes nothing but is said; running requests keep what they had.
    package func reload() {
        guard let read else { return }
        // What changes while it is read is read once more.
        let stamps = Self.stamps(of: current)
        do {
            let value = try read()
            let now = Self.stamps(of: value)
            let begun = now.merging(stamps.filter { now[$0.key] != nil }) { $1 }
            state.withLock { state in
                (state.value, state.amended) = (value, state.amendment(value))
                (state.stamps, state.fault) = (begun, nil)
            }
            logger.info("\(name) read again: \(value.summary)")
        } catch {
            state.withLock { state in
                state.fault = "\(error)"
                state.stamps = stamps
            }
            logger.error("the \(name) stay as they were: \(error)")
        }
    }

    private static func stamps(of value: Value) -> [String: FileStamp] {
        Dictionary(value.files.map { ($0, FileStamp($0)) }) { $1 }
    }
}

/// Identifies one state of a file.
struct FileStamp: Equatable, Sendable {
    private let modified: Date?
    private let size: UInt64
    private let inode: UInt64

    init(_ path: String) {
        // Of what a link leads to: Kubernetes changes the files of a volume by changing a link on the way.
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        modified = attributes?[.modificationDate] as? Date
        size = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
        inode = (attributes?[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0
    }
}
