"""Words of addresses, as alternatives of a regular expression."""

STREETS = (
    "street|st|avenue|ave|av|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|terrace|ter|circle|cir|way"
    "|parkway|pkwy|highway|hwy|trail|trl|loop|square|sq|close|crescent|cres|gardens|gdns|grove|mews|row|rise|hill"
    "|park|view|walk|green|quay|wharf|plaza|turnpike|pike|alley|ridge|crossing|broadway|embankment"
)

CLEAR_STREETS = "street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|crescent|terrace|parkway|pkwy|highway|hwy"
"""Those that are hardly anything else when they are written in lower case."""

BUILDINGS = (
    "Court|House|Cottage|Building|Tower|Lodge|Mansions|Apartments|Hall|Farm|Wharf|Mill|Quay|Heights|Mews"
    "|Point|Place|Villas"
)

STATES = (
    "A[LKZR]|C[AOT]|D[EC]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY]"
)

LOWER_STATES = (
    "a[lkzr]|c[at]|dc|fl|ga|i[dl]|k[sy]|m[dns]|n[evhjmycd]|ri|s[cd]|t[nx]|ut|v[ta]|w[avy]|nebraska|texas|ohio"
)
"""Those that are no word of a sentence when they are written in lower case."""

STATE_NAMES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois"
    "|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri"
    "|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma"
    "|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington"
    "|West Virginia|Wisconsin|Wyoming"
)
