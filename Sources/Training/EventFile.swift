import Foundation

/// A file of numbers by step that TensorBoard reads: TFRecord frames of `tensorflow.Event` messages.
///
/// | frame | bytes | |
/// |---|---|---|
/// | length | 8 | little-endian |
/// | its checksum | 4 | masked CRC-32C |
/// | message | length | protocol buffers |
/// | its checksum | 4 | masked CRC-32C |
package struct EventFile {
    private let file: FileHandle
    private let path: String

    /// Begins a file of its own in the directory; those of earlier runs stay, and TensorBoard shows all as one.
    ///
    /// - Parameters:
    ///   - step: the last step that counts of the files before: later ones in them were made again by a resumed run.
    ///   - now: seconds since 1970.
    /// - Throws: `TrainingError.unwritable`.
    package init(in directory: String, after step: Int, now: Double) throws(TrainingError) {
        // TensorBoard takes files in the order of their names, which begin with the time.
        let seconds = String(Int(now)), zeros = String(repeating: "0", count: max(0, 10 - seconds.count))
        path =
            "\(directory)/events.out.tfevents.\(zeros)\(seconds).nephele.\(ProcessInfo.processInfo.processIdentifier)"
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try Data().write(to: URL(fileURLWithPath: path))
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        } catch {
            throw TrainingError(.unwritable, "cannot write \(path): \(error.localizedDescription)")
        }
        var version = Message()
        version.append(1, double: now)
        version.append(3, text: "brain.Event:2")
        try write(version)
        // A session's start makes readers forget what other files have from that step on.
        var (start, session) = (Message(), Message())
        session.append(1, number: 1)
        start.append(1, double: now)
        start.append(2, number: UInt64(step + 1))
        start.append(7, message: session)
        try write(start)
    }

    /// - Parameter values: by tag.
    /// - Throws: `TrainingError.unwritable`.
    package func write(_ values: [(tag: String, value: Double)], step: Int, now: Double) throws(TrainingError) {
        var (event, summary) = (Message(), Message())
        for (tag, value) in values {
            var own = Message()
            own.append(1, text: tag)
            own.append(2, float: Float(value))
            summary.append(1, message: own)
        }
        event.append(1, double: now)
        event.append(2, number: UInt64(step))
        event.append(5, message: summary)
        try write(event)
    }

    private func write(_ message: Message) throws(TrainingError) {
        let length = Self.bytes(of: UInt64(message.bytes.count))
        let frame =
            length + Self.bytes(of: Self.maskedChecksum(length)) + message.bytes
            + Self.bytes(of: Self.maskedChecksum(message.bytes))
        do { try file.write(contentsOf: Data(frame)) } catch {
            throw TrainingError(.unwritable, "cannot write \(path): \(error.localizedDescription)")
        }
    }

    /// A message of protocol buffers, field by field.
    private struct Message {
        private(set) var bytes: [UInt8] = []

        mutating func append(_ field: Int, number: UInt64) {
            append(UInt64(field) << 3)
            append(number)
        }

        mutating func append(_ field: Int, double: Double) {
            append(UInt64(field) << 3 | 1)
            bytes += EventFile.bytes(of: double.bitPattern)
        }

        mutating func append(_ field: Int, float: Float) {
            append(UInt64(field) << 3 | 5)
            bytes += EventFile.bytes(of: float.bitPattern)
        }

        mutating func append(_ field: Int, text: String) { append(field, Array(text.utf8)) }

        mutating func append(_ field: Int, message: Message) { append(field, message.bytes) }

        private mutating func append(_ field: Int, _ content: [UInt8]) {
            append(UInt64(field) << 3 | 2)
            append(UInt64(content.count))
            bytes += content
        }

        private mutating func append(_ varint: UInt64) {
            var rest = varint
            while rest >= 128 {
                bytes.append(UInt8(rest & 127) | 128)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
    }

    private static func bytes(of number: some FixedWidthInteger) -> [UInt8] {
        (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    /// CRC-32C (Castagnoli, RFC 3720), rotated and shifted as TFRecord has it: ((crc >> 15) | (crc << 17)) + 0xA282EAD8.
    private static func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
        let crc = checksum(bytes)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }

    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
    }
}
