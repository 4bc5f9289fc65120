import Glibc

/// Faults that are there on purpose: a fuzzer that finds none of them finds nothing.
struct PlantedTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]] = (0..<100).map { [$0] }
    let fault: String
    private var grown: [[UInt8]] = []

    init(fault: String) { self.fault = fault }

    mutating func run(_ input: [UInt8]) throws {
        switch fault {
        case "planted-crash" where input == [40]: preconditionFailure("planted")
        case "planted-finding" where input == [40]: throw FuzzFinding(description: "planted")
        case "planted-hang" where input == [40]: while true {}
        case "planted-growth":
            grown.append([UInt8](repeating: 1, count: 1 << 20))
            usleep(2_000)
        default: break
        }
    }
}
