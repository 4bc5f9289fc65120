import Foundation

/// Files that are there whole, or not at all, whenever the process ends.
enum DurableFile {
    /// Writes beside the file, and then puts that in the file's place.
    ///
    /// - Throws: `TrainingError.unwritable`; the file is what it was.
    static func write(_ data: Data, to path: String) throws(TrainingError) {
        do { try data.write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw TrainingError(
                .unwritable, "cannot write \(path), and what stood there is untouched: \(error.localizedDescription)")
        }
    }
}
