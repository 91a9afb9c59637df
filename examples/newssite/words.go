package main

// words is the grammar of the newspaper that a [generator] invents, as lists:
// a line "= name" begins the list of that name, and its entries are the lines
// that follow, or parts of lines divided by " | ".
//
// A {slot} in an entry is filled from the list "section.topic.slot", or
// "section.slot", or "slot", whichever is found first, and keeps its value for
// the whole article. {slot2} is another entry of the list of {slot}.
// Besides these there are
//
//	{a slot}           the value behind "a" or "an"
//	{2..40} {#2..40}   a new number each time; without the # small ones are words
//	{A} ... {D}        a person, with the role from the list of that letter when
//	                   first mentioned, by the last name later; {A.she}, {A.her}
//	{day} {nextday} {month} {nextmonth} {season}   from the date of the article
//	{temp}             degrees that suit the month
//
// Each list "section.topic.title" makes a topic. "when" limits a topic to the
// seasons that it lists. The text of quotes and apostrophes is typewriter
// style here and typographic in the articles.
const words = `
= woman
Marta | Ilse | Runa | Petra | Oda | Greta | Linnea | Sunniva | Tilda | Vera | Hedda | Noor | Alma | Dagny | Esme | Imke | Jorun | Kaja | Lotte | Minna | Rosalind | Signe | Thea | Ylva
= man
Anders | Bram | Caspar | Edvin | Felix | Gorm | Henrik | Ivo | Jonas | Klaas | Lars | Magnus | Nils | Otto | Pelle | Rasmus | Silas | Tobias | Ulf | Viggo | Wim | Arne | Emeric | Yannick
= last
Askvold | Brackwater | Corvane | Drummel | Eskerby | Fennimoor | Gullvik | Haverlee | Ingerstrand | Jorvale | Kettlewick | Lindmarsh | Morrowby | Netterstrom | Orrickson | Pellowe | Quillan | Reddervik | Saltonstrand | Tarnby | Underhaug | Vandermoor | Westerholt | Yarrowe | Zandstra | Aldermere | Birkenvold | Cobblewick | Dunmarsh | Elvestad | Fjelstrom | Gatterby | Holmquay | Islemark | Kobbervik | Larkholm | Mastenbrook | Norrhavn | Osterlund | Pikstrand | Ravnsholt | Seabright | Tidewell | Utterby | Vinterlee | Wharfield | Ebbesen | Strandquill
= town
Saltmere
= street
Lantern Street | Kelp Lane | Ropewalk Lane | Tar Alley | Cooper Street | Chandler Row | Mill Hill | Herring Street | Capstan Road | Customs House Lane | Bellfounder Street | Sailmaker Row | Lime Tree Avenue | Pilot Street | Cannery Road | Schoolhouse Lane | Anchor Street | Well Street | Gannet Road | Oyster Row | Brewer Street | Lighthouse Road | Weir Lane | Orchard Street
= place
the North Quay | the fish market | the Herring Steps | the old customs house | the lighthouse | the inner basin | the Weir Bridge | the ropewalk | the Salt Gate | the pilot station | the Cannery Yard | the bathing beach
= village
Northwick | Gannet Point | Ostby | Little Skerry | Fennhaven | Marrow Bay | Stonewick | Eastering | Holm Island | Weddermouth | Tarnsund | Upper Weir
= ship
Cormorant | Linnet | Grey Gull | Saint Olave | Patience | Northern Star | Sandpiper | Margareta | Good Intent | Kittiwake | Silver Eel | Morning Tide
= weeks
{2..14}
= cost
{#1..9}.{#1..9} million crowns | {11..48} million crowns | {120..980},000 crowns
= C
baker | retired pilot | teacher | shopkeeper | bus driver | nurse | net maker | bookseller | postal worker | carpenter | café owner | student

= town.A
district engineer | town gardener | head of the works department | deputy mayor
= town.B
neighborhood chair | head teacher | shop owner | parish warden
= town.works.title
{work} close {street} for {weeks} weeks | {street} gets {thing} after {years} years of waiting | {thing} for {street}: work begins {day} | Neighbors on {street} welcome {thing} | Digging for {thing} begins near {place}
= town.works.about
the work on {street}
= town.works.work
Pipe repairs | Cobble repairs | Cable works | Tree roots | Drain repairs | Bridge joints
= town.works.thing
new street lamps | wider sidewalks | a row of lime trees | a bicycle lane | a safer crossing | benches and a fountain | quieter paving | a bus shelter | new water mains | a playground
= town.works.years
{3..17}
= town.works.lead
The digging on {street} starts this week and will last about {weeks} weeks, {A} said on {day}. Shops stay open throughout.
After {years} years of letters and petitions, {street} is being rebuilt, and {thing} will come with it. {A} promised short detours.
= town.works.fact
Between the bakery and the corner of {street2}, one lane is closed to cars from seven in the morning.
The works department puts the cost at {cost}, a third of it paid by the region.
Buses of line {2..9} take the detour over {street2}, with a temporary stop near {place}.
Workers found a layer of old ship timber {2..4} meters down. The museum was called, took photographs, and let the digging go on.
The plan was drawn up {years} years ago and shelved twice. It now includes {thing}, which was not in the first draft.
On the first morning {12..60} people stopped to ask the crew how long it would take.
= town.rescue.title
{animal} rescued from {spot} on {street} | Fire crew frees {animal} on {street} | Small fire on {street} put out in {minutes} minutes | A long night on {street} ends well for {animal} | Alarm near {place} brings {24..90} neighbors outdoors
= town.rescue.about
the fire crew
= town.rescue.A
fire chief | watch commander
= town.rescue.animal
a spaniel | two goats | a parrot | a swan | three kittens | an elderly cat | a young seal | a runaway pony
= town.rescue.spot
a chimney | a cellar | a drain | a bakery roof | a scaffold | a locked boathouse
= town.rescue.minutes
{6..40}
= town.rescue.lead
Nobody was hurt on {street} when the fire crew was called out before dawn on {day}. It was back at the station within {minutes} minutes, {A} said.
A call from {C} brought the fire crew to {street} on {day}. The evening ended with applause from the windows.
= town.rescue.fact
The call came in at {#4..6}.{12..58} in the morning, and the first engine left within {2..4} minutes.
{12..40} residents spent an hour on the sidewalk, some of them in dressing gowns.
The crew used the old ladder, because the new one does not fit under the arch of {street2}.
"It was mostly smoke and a great deal of noise," said {C}, who lives across the street. "Nobody panicked."
Damage was put at {2..9} thousand crowns, nearly all of it to a door.
It was the {day} crew's {11..48}th call this year, and by its own account the most pleasant.
= town.school.title
{house} on {street} opens after {weeks} weeks of repairs | {house} near {place} asks for {helpers} volunteers | Children of {street} plant {trees} trees | {house} on {street} celebrates {25..150} years | {house} on {street} keeps its doors open until ten
= town.school.about
the {house}
= town.school.house
library | primary school | community kitchen | swimming hall | evening school | toy library | repair workshop | allotment club
= town.school.helpers
{8..60}
= town.school.trees
{30..240}
= town.school.lead
The {house} on {street} starts the {season} with new plans and a full waiting list. {A} called it the best problem the town could have.
Some {helpers} volunteers have put the {house} back on its feet, says {B}. On {nextday} everyone is invited to see the result.
= town.school.fact
The {house} counted {1400..9800} visits last year, more than in any year since records began.
Volunteers painted the hall, repaired {14..70} chairs and threw away only three.
Opening hours are now from nine to {5..9}, and on {nextday} there is soup for all.
About {trees} young trees came from the nursery in {village}, most of them rowan and lime.
The {house} pays no rent, and the heating costs {20..90} crowns a day in {month}.
"My grandchildren dragged me here, and now I come without them," said {C}, who lives on {street2}.
= town.say
"We would rather do it once and properly than twice in a hurry," said {A}.
"People have been patient, and I do not want to use up that patience," {A} said. {A.She} keeps a list of complaints and answers each in writing.
"Call me if something goes wrong," said {A}, who gave out {A.her} number at the meeting. "But please not before six."
{A} said that most of the questions came down to parking.
= town.reply
{B} is less certain. "We were told the same thing last {season}," {B.she} said.
"The street looks after itself when it is given half a chance," said {B}.
{B} collected {40..380} signatures on the matter and delivered them in a biscuit tin.
= town.past
The houses on {street} were built for sailmakers and their families, and many still have the wide attic doors.
In {town}, {street} floods about once in ten years, most recently in the week of the harbor fair.
The quarter has grown by {3..19} percent in five years, mostly with young families.

= harbor.A
harbor master | deputy harbor master | head of the port authority
= harbor.B
ferry captain | dock foreman | chair of the fishers' guild | skipper
= harbor.ferry.title
{run} ferry to {village} returns after {repair} | {run} ferry to {village} gets {improvement} | Ferry {ship} to sail to {village} {times} times a day | Passengers to {village} wait as the {ship} undergoes {repair} | {improvement} for the {ship} on the run to {village}
= harbor.ferry.about
the {village} ferry
= harbor.ferry.run
Night | Early | Car | Island | Weekend | Mail
= harbor.ferry.repair
a winter of repairs | engine trouble | a new coat of paint | a long inspection | rudder repairs | a change of crew
= harbor.ferry.improvement
a quieter engine | {60..240} more seats | a new gangway | a proper kitchen | a second crew | room for bicycles
= harbor.ferry.times
{3..12}
= harbor.ferry.lead
The {ship} will again tie up at the ferry steps on {nextday}, and {village} is no longer a day's journey away. {A} expects a full first crossing.
Commuters to {village} get a new timetable from {nextday}, with {times} sailings on working days. {A} called it a fair compromise.
= harbor.ferry.fact
The crossing takes {35..95} minutes in calm water and a good deal longer in a north wind.
Last year {21000..98000} passengers used the line, most of them between {month} and September.
Tickets stay at {#3..9} crowns; bicycles now travel free outside the morning hours.
The shipyard replaced {40..160} meters of pipe and every cushion on the upper deck.
In {village} the shop had begun to ration coffee, said {C}, who lives there in the summer. "That was when we knew it was serious."
When the wind is above {14..19} meters a second, a bus over the Weir Bridge stands in for the ferry.
= harbor.cargo.title
{cargo} ship {ship} waits {days} days for a berth at {quay} | {tons} tons of {cargo2} pass {quay} in a week | {quay} handles {pct} percent more {cargo2} than a year ago | Crane at {quay} idle as {cargo2} piles up | {ship} brings {tons} tons of {cargo2} to {quay}
= harbor.cargo.about
{quay}
= harbor.cargo.A
port director | berth planner | harbor master
= harbor.cargo.cargo
Timber | Grain | Salt | Stone | Cement | Fertilizer
= harbor.cargo.cargo2
timber | salt | grain | salted herring | gravel | malt | paper | slate
= harbor.cargo.quay
North Quay | Coal Quay | Timber Quay | South Quay | Basin Two | the New Mole
= harbor.cargo.days
{2..9}
= harbor.cargo.tons
{1200..9600}
= harbor.cargo.pct
{4..38}
= harbor.cargo.lead
Traffic at {quay} is {pct} percent above last year's, figures published on {day} show. {A} wants a second crane before the autumn.
Too many ships, too few bollards: at {quay} the queue has grown to {days} days. {A} said the worst should be over by {nextday}.
= harbor.cargo.fact
The {ship} alone carried {tons} tons, enough to fill {90..260} railway cars.
One of the two cranes at {quay} dates from before the railway and needs {2..4} hours of rest a day.
Dockers worked {3..7} extra shifts this week and were paid for every one of them, {B} said.
Most of the {cargo2} goes on by rail to the inland mills within {2..6} days.
Ships at anchor off {place} could be counted from the promenade on {day}: there were {4..13}.
A berth costs {380..940} crowns a day, waiting at anchor a quarter of that.
= harbor.rescue.title
Lifeboat brings home {crew} from the {ship} | {ship} runs aground off {village}, crew safe | {crew} saved in rough sea off {village} | Lifeboat called out {calls} times in {month} | Drifting {ship} towed in from {village}
= harbor.rescue.about
the lifeboat
= harbor.rescue.A
lifeboat coxswain | coastguard officer | lifeboat mechanic
= harbor.rescue.crew
two anglers | a crew of three | a crew of five | four students | a family of four | an elderly couple | three divers | two painters
= harbor.rescue.calls
{5..24}
= harbor.rescue.lead
The lifeboat was out for {3..9} hours off {village} in the night to {day}, and everyone came home. "Cold, wet and hungry, but well," said {A}.
A broken rudder ended a trip on the {ship} near {village} on {day}. {A} praised the calm of those on board.
= harbor.rescue.fact
The waves were {2..5} meters high when the lifeboat passed the mole.
A trawler from {village} kept the {ship} in sight until help arrived.
On the quay {C} waited with blankets and {2..6} cans of soup.
The radio worked, the flares did not: they were {6..15} years out of date.
It was call number {calls} this {season} for the volunteers, who train on every second {nextday}.
The {ship} lies at {place} now, and divers will look at the hull when the swell goes down.
= harbor.say
"The sea decides, and we write the timetable afterward," said {A}.
"I have stood on this quay for {11..34} years, and I have not seen it so busy," said {A}.
{A} said that safety came first, then the tide, then everything else.
"Ask me again in a month," {A} said with a glance at the barometer. {A.She} smiled, but only a little.
= harbor.reply
"We know these waters, and we know when to stay at home," said {B}.
{B} asked for a second tug before the autumn. {B.She} has asked every year since the old one was sold.
"It is fine as long as the herring do not mind," said {B}.
= harbor.past
{town} has kept a harbor book since the first mole was built, and days like this one are in it by the dozen.
The basin is {5..8} meters deep at low water, which is a meter less than the captains would like.
About one household in {five} in {town} lives from the harbor, directly or nearly so.
= five
four | five | six

= politics.A
mayor | council leader | deputy mayor | head of the finance committee
= politics.B
opposition leader | independent council member | council member | union spokesperson
= politics.vote.title
Council votes to {do} {object} near {place} | Council votes {tally} to {do} {object} | Plan to {do} {object} near {place} fails by {two} votes | Mayor wants to {do} {object} near {place} | {tally}: council will {do} {object}
= politics.vote.about
the plan to {do} {object}
= politics.vote.two
one or two | three | four | two
= politics.vote.do
widen | rebuild | move | light | cover | sell | lease | restore | close | electrify
= politics.vote.object
the fish market bridge | the tram depot | the old salt store | the ferry steps | the coal sheds | the town bathhouse | the grain silo | the slaughterhouse yard | the customs warehouse | the upper canal lock
= politics.vote.tally
11 to 8 | 12 to 7 | 10 to 9 | 14 to 5 | 13 to 6 | 15 to 4
= politics.vote.lead
The town council spent {3..7} hours on {day} on a single question: whether to {do} {object}. {A} spoke first and last.
Few questions have divided the council like the plan to {do} {object}. {A} pressed for a decision on {day}, and {B} for another report.
= politics.vote.fact
The plan costs {cost} and would take {weeks} months, according to the paper put before the council.
In the gallery {40..160} people followed the debate, some of them with sandwiches.
A first motion to postpone was lost at {#8..11}.{12..55} in the evening; a second followed after the coffee.
An engineer's report of {60..240} pages recommends the plan with {3..9} conditions.
For {C}, who lives near {place}, the matter is simple. "Do it or leave it, but stop talking about it," {C.she} said.
The final contracts are to come before the council in {nextmonth}.
= politics.budget.title
{department} budget {moves} by {pct} percent | {fee} to rise by {pct} percent from {nextmonth} | Council finds {cost} for {department2} | {cost} missing for {department2} | {fee} stay as they are, {department2} must wait
= politics.budget.about
the budget
= politics.budget.department
School | Harbor | Road | Library | Parks | Fire service | Housing | Culture
= politics.budget.department2
the schools | street repairs | the library | the parks | the fire service | cheap housing | the music school | the sea wall
= politics.budget.moves
grows | shrinks
= politics.budget.fee
Mooring fees | Parking fees | Ferry subsidies | Market fees | Water rates | Dog licenses
= politics.budget.pct
{2..19}
= politics.budget.lead
The figures that {A} laid on the table on {day} contain few surprises and one long argument. At its heart are {cost} for {department2}.
There is less in the purse than hoped, said {A} on {day}. What that means for {department2} is now up to the committees.
= politics.budget.fact
The whole budget comes to {210..390} million crowns, of which {38..52} percent goes to wages.
Income from the harbor was {2..11} percent below the estimate, because of the quiet {month}.
The finance committee meets again on {nextday}, in public and without a time limit.
A change of {pct} percent comes to about {2..9} crowns a month for a household of four, by the treasurer's count.
The reserve stands at {cost2}, which the auditors call adequate and the council calls thin.
Each of the {19..27} amendments will be voted on separately.
= politics.dispute.title
{B} and {A} clash over {issue} | Committee splits over {issue} in {quarter} | {signatures} signatures against {issue} in {quarter} | Public hearing on {issue} in {quarter} draws {crowd} | Council hears {quarter} on {issue}
= politics.dispute.about
{issue} in {quarter}
= politics.dispute.issue
night flights of the mail plane | new mooring rules | the bicycle ban | the holiday flats | the tram line | market hours | the sale of plots | the dog beach | the traffic plan | school closures
= politics.dispute.quarter
the Old Town | Upper {town} | the Cannery Quarter | Northside | Weirside | Millfield | the Pilot Quarter | Eastering
= politics.dispute.signatures
{310..2900}
= politics.dispute.crowd
{110..480}
= politics.dispute.lead
The hall was too small on {day}: {crowd} people came to hear about {issue}. {A} and {B} agreed on the date of the next meeting and on little else.
A petition with {signatures} names has put {issue} back on the agenda. {A} wants to listen first; {B} wants a vote.
= politics.dispute.fact
{34..58} people put their names down to speak, and all of them did.
The rules in force date from {12..40} years ago and mention steam trams.
A survey of {quarter} found {41..49} percent in favor, {38..43} percent against and the rest tired of the question.
The petition was handed over at the town hall steps by {C}. {C.She} had carried it through the rain under {C.her} coat.
The legal office needs {2..6} weeks to say what the town may decide by itself.
A compromise tried in {village} is to be looked at before {nextmonth}.
= politics.say
"I would rather lose a vote than avoid one," said {A}.
"We have weighed this for a long time, and at some point weighing becomes waiting," {A} said.
{A} rejected the charge of haste. The first papers, {A.she} pointed out, are older than some council members.
"Nobody gets everything, and that is usually a sign of a decent plan," said {A}.
= politics.reply
{B} called the figures "a forecast in a good mood."
"You cannot ask people for patience and then not tell them for how long," said {B}.
{B} announced that {B.her} group would ask for all the papers. "All of them, including the appendix," {B.she} added.
= politics.past
The council has {nineteen} members, and no group has had a majority since the last election.
A similar plan failed {6..21} years ago for want of money, and once more for want of interest.
Voters in {town} go to the polls next autumn, and every vote is read with that in mind.
= nineteen
nineteen

= business.A
shipyard director | head of the chamber of commerce | managing director | bank manager
= business.B
union representative | works council chair | market analyst | wholesale buyer
= business.order.title
Shipyard wins order for {count} {vessels} from {buyer} | {count} {vessels} for {buyer}: shipyard hires {hires} | Shipyard delivers {vessels} to {buyer} {weeks} weeks late | {buyer} orders {vessels} worth {cost} | Launch of the {ship}: {hires} new jobs at the shipyard
= business.order.about
the shipyard
= business.order.A
shipyard director | head of the shipyard
= business.order.count
two | three | four | five | six
= business.order.vessels
pilot boats | island ferries | research boats | harbor tugs | oyster dredgers | fireboats | buoy tenders | electric ferries
= business.order.buyer
{village} | the coastguard | a northern port | the lake towns | the islands | the pilots' guild | an inland line
= business.order.hires
{18..140}
= business.order.lead
The slipway will be busy for {11..26} months: the yard is to build {vessels} for {buyer}. {A} signed the papers on {day}.
Good news from the shipyard, where {hires} people are to be hired before {nextmonth}. {A} spoke of the best order book in years.
= business.order.fact
The contract is worth {cost}, with a tenth due when the keel is laid.
The yard employs {260..540} people, of whom {20..58} are apprentices.
Steel comes by ship from {village2}, engines by rail; the paint is mixed in {town}.
The hulls are {14..46} meters long and will be built under the roof of hall {2..6}.
Welders are hard to find, and the yard now pays {3..9} percent more than last {season}.
On the slipway {C} watched the first plates arrive. "My father worked here, and so did his," {C.she} said.
= business.opening.title
{trade} opens on {street} | {trade} on {street} closes after {years} years | {trade} from {village} moves to {street} | Old {store} on {street} becomes {trade2} | Three generations, one {store}: {years} years on {street}
= business.opening.about
the shops on {street}
= business.opening.A
owner | shopkeeper | founder
= business.opening.years
{12..110}
= business.opening.trade
Net maker | Cheese shop | Boat rental | Printing workshop | Coffee roaster | Bicycle repair shop | Soap maker | Seaweed bakery | Clock repairer | Secondhand bookshop | Sail loft
= business.opening.trade2
a coffee roaster | a sail loft | an ironworks café | a cheese shop | a print workshop | a boat rental | an apprentice bakery
= business.opening.store
chandlery | rope store | bank branch | pharmacy | smokehouse | salt store | tannery | bakery
= business.opening.lead
Paper covered the windows on {street} for {weeks} weeks; on {day} it came down. {A} stood in the door and counted the customers.
There is change on {street} again, and this time few complain. {A} signed the papers on {day}.
= business.opening.fact
The rent is {14..42} crowns a square meter, about the average for {street}.
On the first morning {60..240} people came in, and {20..55} of them bought something.
The counter was saved from the old {store}; the till, which weighs {40..90} kilos, was not.
There are {2..8} employees, and an apprentice is wanted from {nextmonth}.
Of the {40..68} shops in the quarter, {3..9} stand empty, fewer than a year ago.
"I came for the smell and left with a bag," said {C}, one of the first customers.
= business.results.title
{firm} earns {pct} percent more despite {trouble} | {firm} cuts {jobs} jobs, blames {trouble} | Profit of {firm} falls {pct} percent on {trouble} | {firm} plans {cost} hall near {place} | {trouble} cost {firm} {cost}
= business.results.about
{firm}
= business.results.firm
Weir Cannery | Tarnsund Line | Northwick Ropes | the Salt Company | {town} Savings Bank | Gannet Brewery | Stonewick Quarries | Lantern Optics | Kelp & Daughters | the Fish Auction
= business.results.trouble
dear tin | high fuel prices | late grain | a wet autumn | two strikes | cheap imports | broken cranes | empty nets
= business.results.pct
{3..34}
= business.results.jobs
{12..90}
= business.results.lead
The year's figures of {firm} are out, and they show {trouble} on every page. {A} nevertheless looks ahead calmly.
A difficult year is over at {firm}, {A} told the shareholders on {day}. The next will be decided in {nextmonth}, {A.she} said.
= business.results.fact
Sales came to {cost}, after {cost2} in the year before.
The dividend is {2..9} crowns a share; the vote on it took {3..11} minutes.
{firm} buys {22..64} percent of what it needs within a day's sail of {town}.
A new hall near {place} is planned for {60..190} workers.
The pension fund holds a quarter of the shares and has asked for a seat at the table.
In the canteen the talk was of overtime and {trouble}, and of the new soup.
= business.say
"We are careful people, and this is a careful step," said {A}.
"Orders come and go, but a good crew is hard to replace," {A} said.
{A} would not give a forecast. The last one, {A.she} said, was framed and hung in the office as a warning.
"If the harbor does well, we do well, and the reverse is also true," said {A}.
= business.reply
"We want to see it on the pay slip and not only in the newspaper," said {B}.
{B} sees it soberly. "One good quarter is weather; four are climate," {B.she} said.
{B} asked for more apprentices instead of more consultants.
= business.past
Unemployment in {town} stood at {#3..6}.{#1..9} percent in {month}, a little below the region's.
The shipyard, the cannery and the ferry line still pay a third of all wages in {town}.
Prices at the fish auction rose {2..9} percent over the year.

= science.A
marine biologist | head of the marine station | oceanographer | station director
= science.B
doctoral student | laboratory technician | visiting geologist | research diver
= science.survey.title
Marine station counts {number} {creatures} off {village} | {creatures2} return to {water} | Fewer {creatures} in {water}, study finds | {creatures} off {village} are {pct} percent {change} | Why {creatures} leave {water} in {month}
= science.survey.about
the {creatures}
= science.survey.creatures
seals | lobsters | eider ducks | sea stars | oysters | porpoises | shore crabs | herring gulls | cuckoo wrasses | jellyfish
= science.survey.creatures2
Seals | Native oysters | Seahorses | Sturgeons | Otters | Storm petrels | Eels | Puffins
= science.survey.water
the Weir estuary | the outer skerries | Marrow Bay | the kelp forest | the Ostby flats | Tarn Sound | the harbor basin | the salt marsh
= science.survey.number
{180..4900}
= science.survey.pct
{4..60}
= science.survey.change
larger than ten years ago | smaller than ten years ago | more common at night | paler than inland kin | older than thought
= science.survey.lead
For {weeks} weeks a team counted {creatures} in {water}, by boat, on foot and once by kite. The result surprised even {A}.
The yearly count of {creatures} is complete: {number} were seen between {place} and {village}. {A} advises against quick conclusions.
= science.survey.fact
The count covers {14..90} square kilometers and has been made in the same way for {9..40} years.
{12..60} volunteers helped, among them {C}, who has not missed a count since school.
The water was {#1..2}.{#1..9} degrees warmer than the long-term mean, measured at {3..12} meters.
Every tenth animal carried a tag; one of the tags was {11..23} years old.
The raw figures are free for anyone to check, together with the notes on bad weather.
How many {creatures} were counted twice is estimated from photographs, and the error put at {3..9} percent.
= science.find.title
Divers find {object} off {village} | {object} from {water} puzzles the marine station | {age}-year-old {object2} found under {street} | {object2} near {place} is {age} years old | Storm lays bare {object} near {village}
= science.find.about
the find off {village}
= science.find.A
archaeologist | head of the marine station | geologist
= science.find.object
an unknown sponge | a drowned forest | a warm spring | a wooden anchor | a whale's jaw | a field of old amphorae | a reef of tube worms | a stone fish trap
= science.find.object2
well | boat shed | fish trap | oyster heap | slipway | salt pan | causeway | watchtower
= science.find.water
Tarn Sound | Marrow Bay | the Weir estuary | the outer skerries
= science.find.age
{3..19}00
= science.find.lead
It was meant to be a routine dive, {B} said on {day}. What came to light instead will occupy {A} for years.
A find near {village} has the marine station working late. {A} speaks of luck, and of good lamps.
= science.find.fact
It lies at a depth of {6..38} meters, where visibility is {2..9} meters on a good day.
Samples went to {3..5} laboratories, so that nobody has to take the station's word for it.
A first dating gives an age of about {age} years, give or take {40..90}.
Fishers from {village} had known of the spot, {C} said, because nets tore there.
The exact position stays secret until {nextmonth}, to keep the souvenir hunters away.
Drawings will be on show at the museum from {nextday}, and entry is free.
= science.tool.title
{tool} to watch {target} from {place} | New {tool2} measures {target} every {minutes} minutes | Marine station tests {tool2} off {village} | {cost} for {tool2} at the marine station | School class builds {tool2} to measure {target}
= science.tool.about
the marine station
= science.tool.tool
Six buoys | Underwater microphones | A retired ferry | Solar drifters | A weather mast | Four cameras
= science.tool.tool2
tide gauge | echo sounder | plankton camera | weather buoy | sediment trap | diving robot | drifting sensor | wave recorder
= science.tool.target
the tides | porpoise calls | plankton | the swell | noise from ships | the salt in the estuary | drifting sand | the kelp
= science.tool.minutes
{3..45}
= science.tool.lead
What happens below the surface near {place} when nobody looks? From {nextday} a new {tool2} will tell, says {A}.
The marine station has put {a tool2} into the water off {village}. {A} hopes for {2..9} years of unbroken figures.
= science.tool.fact
It sends a reading every {minutes} minutes, even at night and in fog.
The housing was tested in the town's swimming hall, in the lane for beginners.
Power comes from a panel the size of a tea tray; the battery lasts {11..40} days.
An older one was lost after {3..8} months, and later turned up in a garden in {village2}.
It cost {cost}, half of it given by the harbor and half by a foundation.
The first week brought {1100..8800} readings and one crab.
= science.say
"One season is an anecdote; we need ten," said {A}.
"The interesting part is what we did not expect to see," {A} said. {A.She} drew a curve on the back of a tide table.
"We know the surface of the moon better than this bay," said {A}, "and the bay is closer."
{A} warned against blaming a single cause.
= science.reply
"My feet were cold for {weeks} weeks, and it was worth it," said {B}.
{B} did most of the counting. "You begin to recognize some of them," {B.she} said.
{B} sees it differently and will publish {B.her} own reading in {nextmonth}.
= science.past
The marine station has stood beside {place} for more than {60..110} years and employs {18..40} people.
The bay is shallow and its water changes about every {9..20} days, which makes it a good place to measure.
The findings have been sent to two reviewers, who have not yet answered.

= culture.A
director | conductor | curator | head of the town museum
= culture.B
actor | violinist | painter | choir member
= culture.stage.title
"{play}" opens at {house} | {house} sells out "{play}" for {weeks} weeks | A sparse "{play}" at {house} | {house} revives "{play}" with a cast of {cast} | "{play}" at {house}: {verdict}
= culture.stage.about
"{play}"
= culture.stage.A
director | stage director
= culture.stage.play
The {adjective} {noun}
= culture.stage.adjective
Drowned | Patient | Last | Borrowed | Silent | Crooked | Seventh | Painted | Reluctant | Paper
= culture.stage.noun
Pilot | Bell | Captain's Daughter | Lamplighter | Orchard | Ferryman | Widow | Notary | Clockmaker | Guest
= culture.stage.house
the Ropewalk Theater | the Playhouse | the Salt Store stage | the Lantern Theater | the school theater | the open-air stage
= culture.stage.cast
{3..40}
= culture.stage.verdict
a quiet triumph | three long hours | much wit, little wind | a brave failure | tears and applause | a lesson in timing
= culture.stage.lead
There were {three} curtain calls at {house} on {day} for "{play}," and a dog barked during one. {A} has trusted the text, and it pays.
With "{play}," {A} brings a neglected piece back to {town}. {B} carries the evening.
= culture.stage.three
four | five | six | seven
= culture.stage.fact
A single lamp and {30..90} meters of rope are all the set there is, and more is not needed.
{B} plays with {B.her} back to the audience for most of the second act. It sounds like a mistake and is the best idea of the evening.
{house} has {120..420} seats, and on the first night none was empty.
The music, for accordion and two cellos, was written in {weeks} weeks.
The third act loses its way in the fog, and not only because of the fog machine.
Further evenings follow from {nextday}; tickets cost between {#6..9} and {20..34} crowns.
= culture.festival.title
{fest} brings {visitors} guests to {place} | {fest} moves to {street} this {season} | {fest} in {village} ends with {finale} | {fest} near {place} seeks {helpers} helpers | Rain does not stop the {fest} in {village}
= culture.festival.about
the {fest}
= culture.festival.A
festival director | organizer
= culture.festival.fest
Accordion Days | Lantern Festival | Choir Night | Shanty Weekend | Puppet Week | Herring Fair | Jazz on the Mole | Kite Festival | Poetry Boat
= culture.festival.visitors
{1200..9700}
= culture.festival.helpers
{20..95}
= culture.festival.finale
a parade of boats | a choir of {60..320} | a very long encore | lanterns on the water | a power cut | fireworks and soup
= culture.festival.lead
Music hung over {place} until long after midnight on {day}. {A} counted {visitors} guests and one lost tuba.
The {fest} belongs to {town} like the fog, only louder, says {A}. This year there are {14..60} groups.
= culture.festival.fact
The furthest guests came from {village}, by rowing boat, and were given the first row.
{helpers} helpers put up {30..120} benches in a single afternoon.
The stage stood with its back to the wind, after what happened last year.
{C} sold {210..880} portions of fish soup. "I stopped counting when the spoons ran out," {C.she} said.
The ferry waited {11..35} minutes for the last song.
Of the costs of {cost}, the town pays a fifth and the guests the rest.
= culture.show.title
{work} by {B} at {gallery} | {gallery} shows {pieces} {things} from {village} | Museum buys {things} of {village} for {cost} | {pieces} {things}, one room: a visit to {gallery} | {things} found in an attic on {street} go on show
= culture.show.about
the show at {gallery}
= culture.show.B
painter | sculptor | photographer | printmaker
= culture.show.work
New woodcuts | Large canvases | Early drawings | Ship portraits | Night photographs | Driftwood figures | Seascapes
= culture.show.gallery
the town museum | the Pilot House | the Glass Gallery | the Customs House | the library | the Old Smokehouse
= culture.show.pieces
{14..160}
= culture.show.things
ship models | postcards | sea charts | figureheads | samplers | log books | glass floats | painted oars
= culture.show.lead
There are {pieces} works in {gallery}, and none is labeled. {A} wants visitors to look before they read.
Until the end of {nextmonth}, {gallery} gives its largest room to {things} and to {B}. {A} has hung them by the light, not by the year.
= culture.show.fact
The oldest piece dates from the year of the great flood and still smells of tar.
{B} works in a former net loft on {street}, without a telephone and with {2..5} cats.
On the opening night {90..310} people came, more than the fire chief would have liked.
In the last room a window is left uncovered, and the harbor itself becomes a picture.
Schools visit free of charge; all others pay {#3..9} crowns, and nothing on {nextday}.
A catalog of {48..160} pages was printed on {street2} and costs {14..38} crowns.
= culture.say
"We leave things out until it hurts, and then we put one back," said {A}.
"People here know good work from bad, they have boats," {A} said.
{A} is already planning the next one. {A.She} will say only that it has to do with bells.
"I wanted it to sound like the town in the early morning," said {A}.
= culture.reply
"I was nervous until the first laugh," said {B}. "It came from my mother."
{B} grew up on {street} and learned {B.her} craft in the evening school.
"You have to allow for the gulls," {B} said. "They come in on every quiet note."
= culture.past
The culture fund of {town} gives out {140..390},000 crowns a year, and asks for a report of one page.
The town museum had {11000..38000} visitors last year, a third of them from the ferry.
Local critics have argued about such evenings since the first theater burned down.

= sports.A
coach | head coach
= sports.B
captain | goalkeeper | team captain
= sports.club
Northwick Mariners | Lantern Street Rovers | Weirside Wanderers | Gannet Point Athletics | Stonewick Masons | {town} Anchors | Ostby Lions | Cannery Reds | Tarnsund Pilots | Fennhaven Greens | Millfield Millers | Harbor Rangers
= sports.match.title
{club} beat {club2} {score} | {club2} lose {score2} at home to {club} | Late goal by {P} gives {club} a {score} win | {club} on top after {score} against {club2} | {score}: {club} stun {club2} in the {wind}
= sports.match.about
the game
= sports.match.P
striker | midfielder | substitute | winger
= sports.match.score
3-1 | 2-1 | 4-2 | 2-0 | 1-0 | 3-2 | 5-3 | 4-0 | 3-0 | 4-1
= sports.match.score2
again | heavily | narrowly | late | deservedly | unluckily
= sports.match.wind
fog | rain | wind | mud | evening sun
= sports.match.lead
{crowd} spectators saw a lively game on {day}, in which {club} beat {club2} {score}. {P} scored in minute {71..89}.
The {club} won {score} against the {club2} on {day} and stay in the race. {A} praised the back line.
= sports.match.crowd
{420..980} | {1100..3900}
= sports.match.fact
The {club2} began better and hit the post after {3..19} minutes.
{P} settled it in the second half with a shot that took a bounce off a puddle.
The referee showed {2..6} yellow cards and lost a whistle.
The {club} now have {24..58} points and are in {place4} place.
Most of the {crowd} spectators had come on the early ferry, with drums.
From the stand the ball could not always be seen. {C} kept the neighbors informed from the top step.
= sports.match.place4
second | third | fourth | fifth
= sports.race.title
{B} wins the {race} off {village} in {hours} hours | {race} to {village}: {boats} boats at the start | {B} of {village} takes the {race} | Calm ends the {race} off {village} after {hours} hours | Record in the {race} falls by {secs} seconds
= sports.race.about
the {race}
= sports.race.A
race director | regatta chair
= sports.race.B
rower | sailor | helmswoman | helmsman | swimmer
= sports.race.race
Skerry Cup | Lighthouse Race | Pilot Regatta | Long Oar | Harbor Swim | Three Bays Race | Lantern Cup | Weir Mile
= sports.race.hours
three | four | five | six | seven
= sports.race.boats
{24..140}
= sports.race.secs
{12..58}
= sports.race.lead
At the last mark {B} was third, at the line first: the {race} on {day} was decided by {secs} seconds. {A} called it the closest in memory.
The {race} went from {place} to {village} on {day}, with {boats} entries and a fickle wind. {B} read it best.
= sports.race.fact
The course is {6..24} sea miles long, with a turn close under the cliffs of {village}.
{4..11} of the {boats} entries gave up, most of them with torn sails or cramp.
A seal followed the leaders for half an hour and was applauded at the finish.
The wind came from the {west} with {9..22} knots, and then for an hour not at all.
On the mole {C} timed every entry by hand. {C.She} was never more than a second off.
The cup has a dent from the year in which it fell into the basin.
= west
southwest | west | northwest | northeast
= sports.team.title
{club} sign {P} from {village} | {club} part with {A} after {losses} losses | {P} to stay with {club} until {nextmonth} | {club} get {thing} for {cost} | {club} without {P} for {weeks} weeks
= sports.team.about
{club}
= sports.team.P
striker | goalkeeper | defender | winger | playmaker
= sports.team.losses
{4..9}
= sports.team.thing
a new stand | floodlights | a training hall | a better pitch | showers with hot water
= sports.team.lead
There is news from the {club}, and for once it was not in the bakery first. {A} spoke to the team on {day}.
The {club} are preparing for the second half of the season. {A} said on {day} that every place was open, including {A.her} own.
= sports.team.fact
{P} comes from {village} and played there for {3..9} seasons, with {21..74} goals.
The club has {240..890} members, and at the last meeting {40..120} of them voted.
Training is at six in the morning, because the pitch belongs to the school after eight.
The board found {cost} for the season, with help from a brewery and a dentist.
The next game is on {nextday} against the {club2}, away and on gravel.
At the fence {C} has watched every session since {month}. "They run more now," {C.she} said. "Not always in the same direction."
= sports.say
"We kept our heads, and our feet followed," said {A}.
"I have seen prettier days, but I will take this one," {A} said.
{A} wanted to speak of no one in particular, and then spoke of everyone for {11..25} minutes.
"The table does not lie, but it does exaggerate," said {A}.
= sports.reply
"My legs were empty, but nobody else's were full," said {B}.
{B} has a sore shoulder and will rest until {nextday}. "Rest means fishing," {B.she} said.
{B} thanked the supporters, and {B.her} employer for the free afternoon.
= sports.past
The season ends in the last week of September with the customary dinner in the net loft.
The sports ground near {place} was once a drying field for nets, and on the west side the posts still stand.
About {1900..4200} people in {town} belong to a sports club, more than sing in choirs.

= weather.A
duty forecaster | harbor meteorologist
= weather.B
harbor pilot | lighthouse keeper | fisher | farmer
= weather.gale.title
Gusts of {speed} kilometers an hour near {place} | Gale from the {west} closes {street} | Storm stops ferry to {village}, {speed} kilometers an hour measured | {west} gale tears {damage} from {place} | After the gale: {trees} trees down around {village}
= weather.gale.about
the gale
= weather.gale.speed
{82..127}
= weather.gale.trees
{11..90}
= weather.gale.damage
tiles | two awnings | a flagpole | the scaffolding | a billboard | some railings
= weather.gale.lead
The wind reached {speed} kilometers an hour in the night to {day}, and the harbor is full of boats that did not want to leave. {A} expects it to ease by {nextday}.
A {west} gale kept {town} awake. By the morning {trees} trees were down, {A} said, and nobody hurt.
= weather.gale.fact
The tide stood {40..110} centimeters above the usual mark and came over the wall near {place}.
The fire crew had {14..60} calls before breakfast, most of them for branches and roof tiles.
No ferry went to {village}; {20..90} passengers spent the night in the parish hall.
Power was out on {street} for {2..7} hours.
"I tied everything down and the shed went anyway," said {C}, who lives on {street2}.
= weather.fog.title
Fog holds up {ships} ships off {village} | {hours} hours of fog: horns sound near {place} | Fog at {place} to lift by {nextday} | Thick fog between {village} and {village2} | Visibility of {20..95} meters near {place}
= weather.fog.about
the fog
= weather.fog.ships
{4..16}
= weather.fog.hours
{14..60}
= weather.fog.lead
From {place} the water could be heard on {day} but not seen. {A} measured {hours} hours of fog without a break.
The fog came in with the tide, and {ships} ships are waiting for it to go. {A} holds out some hope for {nextday}.
= weather.fog.fact
The horn on the mole sounds every {30..90} seconds and can be heard as far as {village2}.
Pilots brought in {2..6} ships by radar, at walking pace.
School began an hour late in {village}, where the bus had followed the wrong hedge.
The temperature stayed near {temp} degrees at all hours, a sure sign of sea fog.
"You learn who has a bicycle bell and who has not," said {C}.
= weather.frost.title
Frost of minus {low} degrees in {village} | Ice near {place}: {salt} tons of salt for the roads | {cm} centimeters of snow on {street} | Snow cuts off {village} for {hours} hours | Coldest {day} in {years} years, minus {low} degrees
= weather.frost.when
winter
= weather.frost.about
the cold
= weather.frost.low
{5..17}
= weather.frost.salt
{20..160}
= weather.frost.cm
{6..38}
= weather.frost.hours
{9..40}
= weather.frost.years
{7..30}
= weather.frost.lead
Winter has come to {town} in earnest, with minus {low} degrees at the airfield and ice in the inner basin. {A} sees no thaw before {nextday}.
Sledges on {street}, chains on the bus: {cm} centimeters of snow fell up to {day}. {A} calls it a proper winter.
= weather.frost.fact
The road to {village} was closed for {hours} hours and opened behind a plow from {village2}.
The works department spread {salt} tons of salt and then went over to sand.
In the inner basin the ice is {2..9} centimeters thick and must not be walked on.
Birds are fed near {place}; bread, the station reminds readers, does them no good.
Schools stayed open, although on {day} {11..38} percent of the chairs were empty.
= weather.mild.title
{temp} degrees in {village}: {day} brings {good} | {good} for {village}, showers for {village2} | A week of {good} ahead for {place} | {rain} millimeters of rain on {village} in one night | Rain near {place}, then {good}
= weather.mild.about
the forecast
= weather.mild.good
sun | light winds | clear skies | a dry spell | blue skies | a gentle sea breeze
= weather.mild.rain
{18..74}
= weather.mild.lead
After {rain} millimeters of rain the sky cleared on {day}, and {A} promises more of the same. Around noon it was {temp} degrees near {place}.
The forecast for {town}: {good}, a few clouds over {village}, {temp} degrees. {A} would hang out the washing on {nextday}.
= weather.mild.fact
The water in the harbor is {#5..9} degrees colder than the air, which explains the morning mist.
The barometer at {place} rose by {9..24} hectopascals in a day.
The wind turns to the {west} in the afternoon and freshens a little off {village}.
The gauge in {village} held {rain} millimeters, the one in {village2} not a drop.
On {street} the cafés put out {20..90} chairs, and by noon all were taken.
= weather.say
"I only read the instruments, I do not choose the weather," said {A}.
"The models agree until {nextday}, and then each goes its own way," {A} said.
{A} advises a coat, and a hat that can be tied on.
= weather.reply
"The gulls sat low on the roof since yesterday, so I was warned," said {B}.
{B} trusts {B.her} knee more than the forecast. "It has never been wrong about rain," {B.she} said.
= weather.past
The weather station near {place} has written down wind and rain three times a day for {70..130} years.
The mean for {month} in {town} is {temp} degrees, and it rains on about {9..17} of its days.
Small boats should stay inside the mole until the flag at the pilot station comes down.

= say
"I understand why people ask, and I would ask too," said {A}.
"It will not be perfect, but it will be better than what we had," {A} said.
{A} took questions for the better part of an hour and wrote each of them down.
"There is a time for talking and a time for doing, and it is nearly the second," said {A}.
"If I am wrong, you know where to find me," {A} said.
= reply
"I have heard worse news on a {day}," said {B}.
{B} wants to wait and see. "We are good at that here," {B.she} said.
"Give it a year," said {B}, "and everyone will claim it was their idea."
For {C}, who lives on {street}, it is the talk of the week. "Even my brother has an opinion, and he lives inland," {C.she} said.
= past
It is not the first time that {town} has had such a week, and older readers will recall others.
In {village} people are following the matter closely, if only for something to disagree with.
At the bakery on {street} there was hardly another subject on {day}.
Asked by this newspaper, {11..19} of 20 passersby near {place} had heard of it.
The neighboring town of Weddermouth did things differently, and is not thought to be happier.
Those who remember the great storm like to compare everything with it, and mostly it compares well.
{C} has kept every newspaper cutting on the subject in a shoe box. {C.She} is now on the second box.
A few gulls attended, as they do.
Anyone who walks from {place} to {street} can see the difference for themselves.
Not everybody in {town} agrees, but then that would be news as well.
= next
More is expected on {nextday}. This newspaper will report.
The next date to note is {nextday}, at seven in the evening, in the parish hall.
Until {nextmonth} nothing much will change, and after that a good deal might.
Questions can be put to the town office on {street2}, which is open in the mornings.
What comes of it will be seen in {nextmonth} at the latest.
Then the bell at the Salt Gate struck, and everyone went home.
Readers who know more are invited to write to the editors.
By {nextday} there should be an answer, or at least a better question.

= comment.agree
About time, too. | Good news for once. | Glad to read this. | Well done, everybody. | This made my {day}. | Finally somebody says it. | I think this is right. | Lovely. More of this, please. | My neighbors and I are all for it. | You can tell that people put work into this. | {A.last} deserves some credit here.
= comment.grumble
I will believe it when I see it. | And who pays? | We heard the same {years} years ago. | Typical of {town}. | Nobody asks the people on {street}. | I read this twice and still do not see the point. | There are more important things, the bus for example. | Every year the same story about {about}. | {A.last} should take a walk on {street} some evening. | This is what happens when nobody listens to the older people.
= comment.joke
The gulls will have the last word, as always. | My cat has stronger opinions on {about}. | First the fog, now this. | I blame the herring. | Is there soup? | Someone wake up my uncle, he has waited for this since he was young. | Only in {town}. | I read it aloud at breakfast, and the toast burned. | If this keeps up I will move to {village}. Just kidding. Nobody moves to {village}.
= comment.ask
Does anyone know what this means for {street}? | Will there be an update on {nextday}? | Is that the same {A.last} who used to live on {street}? | Was anybody there? What was it like? | Why is {village} never asked? | How does that compare with last year? | Does somebody know more about {about}? | Is it open to everyone?
= comment.memory
My grandmother used to talk about this all the time. | When I was a child on {street}, it was just like that. | I worked near {place} for {years} years and could tell stories. | It reminds me of the year the basin froze. | We had the same in {village}, and it turned out fine. | My father was there the first time, he kept the newspaper. | I remember the old days near {place}. Not everything was better.
= comment.report
I was near {place} on {day} and saw it myself. | A small correction: from {street} it takes ten minutes, not five. | My sister works there and says much the same. | I walked past this morning, and there was quite a crowd. | For those who ask: the office on {street} has a leaflet about it. | Live right around the corner. It is louder than it sounds here.
= comment.opener
Honestly: | To be fair: | Well. | As somebody from {street}: | Just my two crowns: | Sorry, but: | Hm. | From {village}:
= comment.closer
That is all I wanted to say. | Thanks for reporting. | Good article, by the way. | Greetings from {village}. | Just saying. | But what do I know. | Have a good {day}, everyone. | Let us talk again in {nextmonth}.
= comment.years
{4..30}
= answer.agree
Same here. | Exactly what I was thinking. | Agreed, and my whole street with me. | Nicely put, {name}. | Yes! And tell the council, too. | I would not go that far, but yes. | Not so fast. Let us see what {nextmonth} brings.
= answer.grumble
Oh come on, {name}. | You could also just be happy for once. | I see it differently. | {name} has a point, though. | True, sadly. | Then come to the meeting on {nextday} and say so. | Somebody has to pay for it, {name}, that is how it works. | Have you been there at all?
= answer.joke
Ha! | Thank you, {name}, now there is coffee on my screen. | The herring deny everything. | I heard that, and I live in {village}. | You owe me a soup, {name}. | This. | Please do not encourage the gulls.
= answer.ask
I asked at the office on {street}, they say next week. | As far as I know, yes. | No idea, but I would like to know as well. | It says so in the article, {name}. Second paragraph or so. | I think it does, but ask {A.last}. | {name}, have a look at the notice near {place}. | No. Unfortunately.
= answer.memory
I remember that! Were you at the school on {street}? | Thank you for telling that, {name}. | My mother says the same. | Those were the days. Cold ones, mostly. | More of these stories, please. | I think we were neighbors, {name}.
= answer.report
Thank you, that helps. | Good to know. | Did you take pictures? | I was there as well and must have missed you, {name}. | Interesting, I had heard otherwise. | Thanks, {name}. Somebody should tell the editors.
= harbor.comment
As a sailor I can only say: high time. | You can see all of it from my kitchen window. | The tide table is still the best thing in this newspaper.
= politics.comment
I will remember this at the election. | At least they voted this time. | And the minutes? Where can one read the minutes?
= business.comment
I hope they take on apprentices. | My cousin works there and is happy. | Prices will go up again, you will see.
= science.comment
My daughter wants to be a diver now. | Could you link the figures? | More from the marine station, please. It is my favorite part of the paper.
= culture.comment
I was there and cried a little. | Too loud for me, but the children loved it. | Is there still a ticket for {nextday}?
= sports.comment
Next year we win the cup. | The referee needs glasses. | See you all on {nextday}, bring the drum.
= weather.comment
My tomatoes have a different opinion. | At least {temp} degrees, others have it worse. | Whoever hung out washing today is braver than I am.
= town.comment
I live there, and it really is like that. | Please do not forget the crossing at {street}. | Our street could do with the same.
`
