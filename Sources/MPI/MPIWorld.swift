internal import CMPI
internal import Foundation
package import Tensors

/// The processes that Open MPI's `mpirun` started together, of which this is one.
///
/// The library is loaded when there are any: a program that runs alone needs none. Where one of them dies, `mpirun` ends the
/// others.
package final class MPIWorld {
    /// Of this process, from 0.
    package let rank: Int
    package let count: Int
    /// Processes on this machine.
    package let localCount: Int

    private static let library = "libmpi.so.40"

    /// The processes that the environment speaks of; nil for this one alone.
    ///
    /// - Throws: `MPIError` where the library cannot be had, or another MPI started the processes, which then would not know of
    ///   each other.
    package static func ofEnvironment(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(MPIError) -> MPIWorld? {
        guard let size = environment["OMPI_COMM_WORLD_SIZE"].flatMap(Int.init) else {
            guard let other = environment["PMI_SIZE"].flatMap(Int.init), other > 1 else { return nil }
            throw MPIError(
                "\(other) processes were started by another MPI than Open MPI (PMI_SIZE is set), which is not known here: each "
                    + "would run alone; use Open MPI's mpirun")
        }
        guard size > 1 else { return nil }
        return try MPIWorld(localCount: environment["OMPI_COMM_WORLD_LOCAL_SIZE"].flatMap(Int.init) ?? 1)
    }

    private init(localCount: Int) throws(MPIError) {
        var error = [CChar](repeating: 0, count: 1_024), (own, all) = (0 as Int32, 0 as Int32)
        guard nephele_mpi_begin(Self.library, &error, error.count) == 0 else {
            let reason = String(decoding: error.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw MPIError(
                "cannot use Open MPI (\(Self.library)), by which this process was started: \(reason); install libopenmpi3, or "
                    + "run one process without mpirun")
        }
        guard nephele_mpi_place(&own, &all) == 0 else { throw MPIError("Open MPI does not say which process this is") }
        (rank, count, self.localCount) = (Int(own), Int(all), max(1, localCount))
    }

    /// Sends a tensor to another process, and takes the one that it sends at the same time.
    ///
    /// - Parameter other: of the same size, below 2 GiB.
    /// - Throws: `MPIError` where the other process is not there.
    package func exchange(_ own: Tensor, with partner: Int, into other: Tensor) throws(MPIError) {
        precondition(own.byteCount == other.byteCount, "\(own.shape) for \(other.shape)")
        let code = own.withBytes { own in
            other.withMutableBytes { other in
                own.withUnsafeBytes {
                    nephele_mpi_exchange(Int32(partner), $0.baseAddress, other.baseAddress, Int32(other.count))
                }
            }
        }
        guard code == 0 else { throw MPIError("process \(partner) did not answer: MPI_Sendrecv gave \(code)") }
    }

    package func exchange(_ own: Double, with partner: Int) throws(MPIError) -> Double {
        var (mine, other) = (own, 0.0)
        let code = nephele_mpi_exchange(Int32(partner), &mine, &other, Int32(MemoryLayout<Double>.size))
        guard code == 0 else { throw MPIError("process \(partner) did not answer: MPI_Sendrecv gave \(code)") }
        return other
    }

    /// Says that this process is done; nothing may be exchanged afterwards.
    package func end() { nephele_mpi_end() }
}

/// What is wrong with processes that are to work together.
package struct MPIError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
