import Foundation

/// Reads little-endian values one after the other, never more of the file than its header needs.
struct GGUFReader {
    let path: String
    let fileSize: Int
    private let handle: FileHandle
    private var buffer: [UInt8] = []
    /// Where the buffer starts in the file, and what of it has been taken.
    private var start = 0
    private var taken = 0

    private static let step = 1 << 20
    /// The longest header that is read, in bytes.
    static let headerLimit = 512 << 20
    /// Elements of all arrays together; a vocabulary has some hundred thousand.
    private static let elementLimit = 16 << 20
    private var elements = 0

    init(path: String) throws(GGUFError) {
        self.path = path
        do {
            let values = try URL(fileURLWithPath: path).resolvingSymlinksInPath()
                .resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey])
            guard values.isRegularFile == true, let size = values.fileSize else {
                throw GGUFError(.unreadable, "\(path) is not a regular file")
            }
            fileSize = size
            handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        } catch let error as GGUFError {
            throw error
        } catch {
            throw GGUFError(.unreadable, "cannot read \(path): \(error.localizedDescription)")
        }
    }

    func close() { try? handle.close() }

    /// Bytes from the file's beginning that have been taken.
    var position: Int { start + taken }

    /// Bytes that are still to come.
    var remaining: Int { fileSize - position }

    func malformed(_ what: String) -> GGUFError { GGUFError(.malformed, "\(path): \(what)") }

    /// - Parameter what: names the value in the error.
    mutating func take(_ count: Int, _ what: @autoclosure () -> String) throws(GGUFError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw malformed("\(what()) would end after byte \(position) of \(fileSize): the file is truncated")
        }
        guard position + count <= Self.headerLimit else {
            throw malformed("\(what()) lies beyond the first \(Self.headerLimit) bytes, where a header must end")
        }
        if taken + count > buffer.count { try refill(count) }
        defer { taken += count }
        return buffer[taken..<taken + count]
    }

    private mutating func refill(_ count: Int) throws(GGUFError) {
        buffer.removeFirst(taken)
        start += taken
        taken = 0
        while buffer.count < count {
            let more: Data?
            do { more = try handle.read(upToCount: max(Self.step, count - buffer.count)) } catch {
                throw GGUFError(.unreadable, "cannot read \(path): \(error.localizedDescription)")
            }
            guard let more, !more.isEmpty else { throw malformed("the file ended after \(start + buffer.count) bytes") }
            buffer.append(contentsOf: more)
        }
    }

    mutating func integer<T: FixedWidthInteger>(
        _ type: T.Type, _ what: @autoclosure () -> String
    ) throws(GGUFError) -> T {
        let bytes = try take(T.bitWidth / 8, what())
        return bytes.reversed().reduce(T.zero) { $0 << 8 | T(truncatingIfNeeded: $1) }
    }

    /// A 64-bit count of things that take at least `size` bytes each: never more than the file can hold.
    mutating func count(of size: Int, _ what: @autoclosure () -> String) throws(GGUFError) -> Int {
        let count = try integer(UInt64.self, what())
        guard count <= UInt64(remaining / size) else {
            throw malformed("\(what()) is \(count), more than the file's \(remaining) remaining bytes can hold")
        }
        return Int(count)
    }

    mutating func string(_ what: @autoclosure () -> String) throws(GGUFError) -> [UInt8] {
        let count = try count(of: 1, "the length of \(what())")
        return Array(try take(count, what()))
    }

    mutating func value(
        _ kind: GGUFValue.Kind, _ what: @autoclosure () -> String, depth: Int = 0
    ) throws(GGUFError) -> GGUFValue {
        switch kind {
        case .u8: return .integer(Int(try integer(UInt8.self, what())))
        case .i8: return .integer(Int(try integer(Int8.self, what())))
        case .u16: return .integer(Int(try integer(UInt16.self, what())))
        case .i16: return .integer(Int(try integer(Int16.self, what())))
        case .u32: return .integer(Int(try integer(UInt32.self, what())))
        case .i32: return .integer(Int(try integer(Int32.self, what())))
        case .u64: return .integer(Int(clamping: try integer(UInt64.self, what())))
        case .i64: return .integer(Int(try integer(Int64.self, what())))
        case .f32: return .float(Double(Float(bitPattern: try integer(UInt32.self, what()))))
        case .f64: return .float(Double(bitPattern: try integer(UInt64.self, what())))
        case .bool: return .bool(try integer(UInt8.self, what()) != 0)
        case .string: return .string(try string(what()))
        case .array:
            guard depth < 4 else { throw malformed("\(what()) is nested too deeply") }
            let kind = try self.kind(what())
            let count = try count(of: kind.size, "the length of \(what())")
            elements += count
            guard elements <= Self.elementLimit else {
                throw malformed("\(what()) makes more than \(Self.elementLimit) array elements in the metadata")
            }
            var values: [GGUFValue] = []
            values.reserveCapacity(count)
            for _ in 0..<count { values.append(try value(kind, what(), depth: depth + 1)) }
            return .array(values)
        }
    }

    mutating func kind(_ what: @autoclosure () -> String) throws(GGUFError) -> GGUFValue.Kind {
        let number = try integer(UInt32.self, "the type of \(what())")
        guard let kind = GGUFValue.Kind(rawValue: number) else {
            throw malformed("\(what()) has type \(number), which the format does not know")
        }
        return kind
    }
}
