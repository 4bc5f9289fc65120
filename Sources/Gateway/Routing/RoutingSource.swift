import Foundation
import Logging
package import PromptRouting
import Synchronization

/// The routing table in force, and the file behind it, which is read again when it changes.
package final class RoutingSource: Sendable {
    private struct State {
        var table: RoutingTable
        /// Of each file that was read, when it was changed.
        var stamps: [String: FileStamp]
        var fault: String?
    }

    private let file: String?
    private let state: Mutex<State>
    private let logger = Logger(label: "nephele-gateway")

    /// - Parameter file: nil for the standard table alone.
    /// - Throws: `ConfigurationError` for a file that is not as it should be.
    package init(file: String?) throws {
        self.file = file
        let table = try file.map { try RoutingTable(file: $0) } ?? .standard()
        state = Mutex(State(table: table, stamps: Self.stamps(of: table)))
    }

    package var current: RoutingTable { state.withLock { $0.table } }

    /// What is wrong with the file since it was last read well, if anything.
    package var fault: String? { state.withLock { $0.fault } }

    /// Looks every second whether the file has changed, until it is cancelled.
    package func watch() async {
        guard file != nil else { return }
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let (table, stamps) = state.withLock { ($0.table, $0.stamps) }
            if Self.stamps(of: table) != stamps { reload() }
        }
    }

    /// Reads the file again. A file with an error changes nothing but is said; running requests keep what they had.
    package func reload() {
        guard let file else { return }
        do {
            let table = try RoutingTable(file: file)
            state.withLock { $0 = State(table: table, stamps: Self.stamps(of: table)) }
            logger.info("routes read again: \(table.routes.count) routes, \(table.presets.count) presets")
        } catch {
            state.withLock { state in
                state.fault = "\(error)"
                state.stamps = Self.stamps(of: state.table)
            }
            logger.error("the routes stay as they were: \(error)")
        }
    }

    private static func stamps(of table: RoutingTable) -> [String: FileStamp] {
        Dictionary(table.files.map { ($0, FileStamp($0)) }) { $1 }
    }
}

/// What tells one state of a file from another.
struct FileStamp: Equatable, Sendable {
    private let modified: Date?
    private let size: UInt64
    private let inode: UInt64

    init(_ path: String) {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        modified = attributes?[.modificationDate] as? Date
        size = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
        inode = (attributes?[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0
    }
}
