import Foundation
import JSON

/// A file with a JSON object on each line.
enum JSONLines {
    /// The longest line that is read, in bytes.
    private static let lineLimit = 64 << 20
    /// Faults that an error names one by one.
    private static let named = 5

    /// - Parameter take: is given each line's object and number, from 1, and says what is wrong with it; empty lines are
    ///   passed over.
    /// - Throws: `TrainingError.invalidData` that names the file and the lines at fault.
    static func read(
        _ path: String, _ take: (JSONObject, Int) throws(SampleEncoder.Fault) -> Void
    ) throws(TrainingError) {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
            throw TrainingError(.invalidData, "cannot read \(path): \(error.localizedDescription)")
        }
        var faults: [String] = [], faultCount = 0, number = 0
        for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) else { continue }
            do throws(SampleEncoder.Fault) {
                try take(try object(line), number)
            } catch {
                faultCount += 1
                if faults.count < named { faults.append("line \(number): \(error.clause)") }
            }
        }
        guard faultCount > 0 else { return }
        let rest = faultCount > faults.count ? "\n… and \(faultCount - faults.count) more lines" : ""
        throw TrainingError(.invalidData, "\(path):\n" + faults.joined(separator: "\n") + rest)
    }

    private static func object(_ line: Data) throws(SampleEncoder.Fault) -> JSONObject {
        guard line.count <= lineLimit else { throw .init("the line has more than \(lineLimit) bytes") }
        let value: JSON.JSONValue
        do { value = try JSONParser.parse(Array(line)) } catch {
            throw .init("is no JSON: \(error.path.description) \(error.problem)")
        }
        guard case .object(let object) = value else { throw .init("must be a JSON object, not \(value.kind)") }
        return object
    }
}
