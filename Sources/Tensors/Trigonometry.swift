import Glibc

/// The C library's sine and cosine in double precision; rounded to f32 they agree between libraries.
func sineOf(_ x: Double) -> Double { sin(x) }
func cosineOf(_ x: Double) -> Double { cos(x) }
